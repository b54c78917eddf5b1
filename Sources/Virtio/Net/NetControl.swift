/// The control queue of a network interface (virtio 1.2, section 5.1.6.5): a driver chooses the
/// number of queue pairs, and confirms that it has announced itself.
struct NetControl: Sendable {
    /// A command that was understood.
    enum Command: Equatable {
        case acknowledgeAnnouncement
        case setQueuePairs(Int)

        /// Reads class, number and contents; nil for what no feature here allows.
        init?(_ buffers: borrowing BufferList) {
            guard let kind = buffers.load(UInt8.self, at: 0),
                let number = buffers.load(UInt8.self, at: 1)
            else { return nil }
            switch (kind, number) {
            case (3, 0):
                self = .acknowledgeAnnouncement
            case (4, 0):
                guard let count = buffers.load(UInt16.self, at: 2) else { return nil }
                self = .setQueuePairs(Int(count))
            default:
                return nil
            }
        }
    }

    let queue: DeviceQueue
    let notifier: DriverNotifier
    /// Does what a command says, and returns whether that went well.
    let perform: @Sendable (Command) -> Bool

    /// Serves all commands that there are.
    func serve(_ chain: inout DescriptorChain, until stop: StopFlag) {
        queue.serve(&chain, until: stop, notifier) { chain throws(VirtqueueError) in
            guard !chain.writable.isEmpty else {
                throw .malformedRequest("without room for its answer")
            }
            let isDone = Command(chain.readable).map(perform) ?? false
            return UInt32(chain.writable.write([isDone ? 0 : 1] as [UInt8]))
        }
    }
}
