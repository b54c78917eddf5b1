import StateCoding

/// The component `platform-events`: what the guest was told and has not read.
struct PlatformEventsState: VersionedState, Equatable {
    static let name = "platform-events"
    static let version: UInt16 = 1

    /// `EventRegisters.Event`.
    var events: UInt32 = 0
    /// A bit for each slot with a new device.
    var added: UInt32 = 0
    /// A bit for each slot whose device shall go.
    var leaving: UInt32 = 0

    init() {}

    func encode(into writer: inout StateWriter) {
        writer.append(events)
        writer.append(added)
        writer.append(leaving)
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        events = try reader.readUInt32()
        added = try reader.readUInt32()
        leaving = try reader.readUInt32()
        let known: EventRegisters.Event = [.powerButton, .slots]
        guard events & ~known.rawValue == 0, (added | leaving) & 1 == 0 else {
            throw reader.invalid("it has events that this machine does not know")
        }
    }
}
