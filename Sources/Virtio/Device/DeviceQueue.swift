public import LinuxSystem
internal import Machine
internal import Synchronization

/// One virtqueue of a device with what belongs to it: the doorbell that its driver rings, and the
/// vector of its interrupt. It exists as long as its device, the rings only while a driver uses it.
public final class DeviceQueue: Sendable {
    /// Its number in the device.
    public let index: Int
    /// The largest size that a driver may choose.
    public let maximumSize: UInt16
    /// Signalled when the driver has offered requests.
    public let doorbell: EventDescriptor

    let vector = Atomic<UInt16>(MSIXTable.noVector)
    private let ring = Mutex<Virtqueue?>(nil)

    init(index: Int, maximumSize: UInt16) throws(SystemError) {
        self.index = index
        self.maximumSize = maximumSize
        doorbell = try EventDescriptor(name: "doorbell of queue \(index)")
    }

    /// Whether a driver has set the queue up.
    public var isEnabled: Bool { ring.withLock { $0 != nil } }

    /// Where the device is in the rings; nil for a queue that is not in use.
    var position: Virtqueue.Position? { ring.withLock { $0?.position } }

    func install(_ virtqueue: consuming Virtqueue) {
        var virtqueue = Optional(virtqueue)
        ring.withLock { $0 = virtqueue.take() }
    }

    func remove() {
        ring.withLock { $0 = nil }
    }

    /// Uses the rings, which nobody else does meanwhile. A driver's mistake stops the device.
    ///
    /// - Returns: what `body` returns; nil when the queue is not in use or has failed.
    func withRing<Value: Sendable>(
        _ notifier: DriverNotifier,
        _ body: (inout Virtqueue) throws(VirtqueueError) -> Value
    ) -> Value? {
        guard !notifier.status.contains(.needsReset) else { return nil }
        do throws(VirtqueueError) {
            return try ring.withLock { ring throws(VirtqueueError) -> Value? in
                try ring?.use(body)
            }
        } catch {
            notifier.fail("Queue \(index): \(error)")
            return nil
        }
    }

    /// Serves all requests that there are, and asks to be notified of the next one.
    ///
    /// - Parameters:
    ///   - chain: reused for each request.
    ///   - limit: ends the work after so many requests, with the doorbell rung for the others, where
    ///     the thread has more to do than this queue.
    ///   - stop: ends the work after the request in hand.
    ///   - handle: serves a request and returns the number of bytes written to its buffers.
    func serve(
        _ chain: inout DescriptorChain, limit: Int = .max, until stop: StopFlag,
        _ notifier: DriverNotifier,
        _ handle: (inout DescriptorChain) throws(VirtqueueError) -> UInt32
    ) {
        _ = withRing(notifier) { ring throws(VirtqueueError) in
            var left = limit
            repeat {
                try ring.disableNotifications()
                while !stop.isSet, try ring.next(into: &chain) {
                    guard left > 0 else {
                        ring.putBack()
                        doorbell.signal()
                        return
                    }
                    left -= 1
                    let written = try handle(&chain)
                    try ring.complete(head: chain.head, written: written)
                    if try ring.needsInterrupt() { notifier.interrupt(self) }
                }
            } while try ring.enableNotifications() && !stop.isSet
        }
    }
}

extension Virtqueue {
    /// Reaches the queue inside an optional without taking it out.
    fileprivate mutating func use<Value: Sendable>(
        _ body: (inout Virtqueue) throws(VirtqueueError) -> Value
    ) throws(VirtqueueError) -> Value {
        try body(&self)
    }
}
