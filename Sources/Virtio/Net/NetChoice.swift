internal import StateCoding

/// What the driver of a network interface has chosen, what it was asked, and the state of the link.
struct NetChoice: Hashable, Sendable {
    /// Queue pairs through which packets go.
    var activePairs = 1
    /// The driver was asked to announce its addresses and has not confirmed that.
    var isAskedToAnnounce = false
    /// The driver's own address; nil for the one of the configuration.
    var address: EthernetAddress?
    /// Further addresses for which the driver receives.
    var furtherAddresses: [EthernetAddress] = []
    /// Whether the driver wants the packets for everybody. It gets them in any case: the tap does
    /// not filter.
    var isPromiscuous = false
    /// Whether the driver wants the packets for all groups.
    var receivesAllMulticast = false
    /// What the driver has switched on since it agreed on features; nil for all of them.
    var offloads: VirtioFeatures?
}

/// The saved part of a network interface.
struct NetState: VersionedState {
    static let name = "net"
    static let version: UInt16 = 1

    let choice: NetChoice
    let isLinkUp: Bool

    init(choice: NetChoice, isLinkUp: Bool) {
        self.choice = choice
        self.isLinkUp = isLinkUp
    }

    func encode(into writer: inout StateWriter) {
        writer.append(isLinkUp)
        writer.append(UInt16(clamping: choice.activePairs))
        writer.append(choice.isAskedToAnnounce)
        writer.append(choice.isPromiscuous)
        writer.append(choice.receivesAllMulticast)
        writer.append(choice.offloads != nil)
        writer.append(choice.offloads?.rawValue ?? 0)
        let addresses = [choice.address].compactMap { $0 } + choice.furtherAddresses
        writer.append(choice.address != nil)
        writer.appendCount(addresses.count)
        for byte in addresses.flatMap(\.bytes) { writer.append(byte) }
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        isLinkUp = try reader.readBool()
        var choice = NetChoice()
        choice.activePairs = Int(try reader.readUInt16())
        choice.isAskedToAnnounce = try reader.readBool()
        choice.isPromiscuous = try reader.readBool()
        choice.receivesAllMulticast = try reader.readBool()
        let hasOffloads = try reader.readBool()
        let offloads = VirtioFeatures(rawValue: try reader.readUInt64())
        if hasOffloads { choice.offloads = offloads }
        let hasAddress = try reader.readBool()
        let count = try reader.readCount(elementSize: 6)
        guard count <= NetControl.Command.maximumAddressCount + 1, !hasAddress || count > 0 else {
            throw reader.invalid("it has \(count) addresses")
        }
        var addresses: [EthernetAddress] = []
        for _ in 0..<count {
            var bytes: [UInt8] = []
            for _ in 0..<6 { bytes.append(try reader.readUInt8()) }
            guard let address = EthernetAddress(bytes: bytes), address.isOfOneInterface else {
                throw reader.invalid("one of its addresses is that of a group")
            }
            addresses.append(address)
        }
        if hasAddress { choice.address = addresses.removeFirst() }
        choice.furtherAddresses = addresses
        self.choice = choice
    }
}
