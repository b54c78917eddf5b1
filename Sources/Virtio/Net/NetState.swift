internal import StateCoding

/// The saved part of a network interface.
struct NetState: VersionedState {
    static let name = "net"
    static let version: UInt16 = 1

    let choice: NetDevice.Choice

    init(choice: NetDevice.Choice) {
        self.choice = choice
    }

    func encode(into writer: inout StateWriter) {
        writer.append(UInt16(clamping: choice.activePairs))
        writer.append(choice.isAskedToAnnounce)
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        choice = NetDevice.Choice(
            activePairs: Int(try reader.readUInt16()),
            isAskedToAnnounce: try reader.readBool())
    }
}
