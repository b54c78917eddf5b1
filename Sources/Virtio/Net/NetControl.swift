/// The control queue of a network interface (virtio 1.2, section 5.1.6.5): a driver says what it
/// wants to receive and how, and confirms that it has announced itself.
struct NetControl: Sendable {
    /// A command that was understood.
    enum Command: Equatable {
        case setPromiscuous(Bool)
        case setAllMulticast(Bool)
        /// The addresses for one interface that the driver wants to receive for, as many as are kept.
        case setAddresses([EthernetAddress])
        case setAddress(EthernetAddress)
        case changeVLAN
        case acknowledgeAnnouncement
        case setQueuePairs(Int)
        case setOffloads(VirtioFeatures)

        /// Addresses that are kept of a driver's table, to announce them. Linux drivers have few.
        static let maximumAddressCount = 32

        /// Reads class, number and contents; nil for what was not agreed on or makes no sense.
        init?(_ buffers: borrowing BufferList, _ features: VirtioFeatures) {
            guard let kind = buffers.load(UInt8.self, at: 0),
                let number = buffers.load(UInt8.self, at: 1)
            else { return nil }
            switch (kind, number) {
            case (0, 0...1) where features.contains(NetFeature.receiveModes):
                guard let isOn = buffers.load(UInt8.self, at: 2), isOn <= 1 else { return nil }
                self = number == 0 ? .setPromiscuous(isOn == 1) : .setAllMulticast(isOn == 1)
            case (1, 0) where features.contains(NetFeature.receiveModes):
                guard let command = Self.table(buffers) else { return nil }
                self = command
            case (1, 1) where features.contains(NetFeature.settableAddress):
                guard let address = Self.address(buffers, at: 2), address.isOfOneInterface else {
                    return nil
                }
                self = .setAddress(address)
            case (2, 0...1) where features.contains(NetFeature.vlanFilter):
                guard let tag = buffers.load(UInt16.self, at: 2), tag < 4096 else { return nil }
                self = .changeVLAN
            case (3, 0) where features.contains(NetFeature.announcement):
                self = .acknowledgeAnnouncement
            case (4, 0) where features.contains(NetFeature.multipleQueues):
                guard let count = buffers.load(UInt16.self, at: 2) else { return nil }
                self = .setQueuePairs(Int(count))
            case (5, 0) where features.contains(NetFeature.guestOffloads):
                guard let bits = buffers.load(UInt64.self, at: 2) else { return nil }
                let offloads = VirtioFeatures(rawValue: bits)
                guard offloads.isSubset(of: features.intersection(NetFeature.switchable)) else {
                    return nil
                }
                self = .setOffloads(offloads)
            default:
                return nil
            }
        }

        /// Reads a table of addresses for one interface, and checks that one of addresses for
        /// groups follows, of which nothing is kept.
        private static func table(_ buffers: borrowing BufferList) -> Command? {
            guard let count = buffers.load(UInt32.self, at: 2) else { return nil }
            let groups = 6 + 6 * Int(count)
            guard let groupCount = buffers.load(UInt32.self, at: groups),
                groups + 4 + 6 * Int(groupCount) <= buffers.byteCount
            else { return nil }
            let addresses = (0..<min(Int(count), maximumAddressCount)).compactMap { index in
                address(buffers, at: 6 + 6 * index)
            }
            return .setAddresses(addresses.filter(\.isOfOneInterface))
        }

        private static func address(
            _ buffers: borrowing BufferList, at offset: Int
        ) -> EthernetAddress? {
            guard buffers.byteCount >= offset + 6 else { return nil }
            return EthernetAddress(bytes: buffers.bytes(from: offset, limit: 6))
        }
    }

    let queue: DeviceQueue
    let notifier: DriverNotifier
    let features: VirtioFeatures
    /// Does what a command says, and returns whether that went well.
    let perform: @Sendable (Command) -> Bool

    /// Serves all commands that there are.
    func serve(_ chain: inout DescriptorChain, until stop: StopFlag) {
        queue.serve(&chain, until: stop, notifier) { chain throws(VirtqueueError) in
            guard !chain.writable.isEmpty else {
                throw .malformedRequest("without room for its answer")
            }
            let isDone = Command(chain.readable, features).map(perform) ?? false
            return UInt32(chain.writable.write([isDone ? 0 : 1] as [UInt8]))
        }
    }
}
