import LinuxSystem
private import Synchronization

/// One of the 24 edge-triggered interrupt lines of a PC, for its only device.
public final class InterruptLine: Sendable, InterruptSource {
    let event: EventDescriptor
    let gsi: UInt32
    private let router: InterruptRouter
    private let isOnItsWay = Atomic(false)

    init(event: consuming EventDescriptor, gsi: UInt32, router: InterruptRouter) {
        self.event = event
        self.gsi = gsi
        self.router = router
    }

    deinit {
        router.release(gsi: gsi, event: event)
    }

    /// Sends one pulse, from any thread.
    public func trigger() {
        isOnItsWay.store(true, ordering: .releasing)
        event.signal()
    }

    func takeOnItsWay() -> Bool {
        isOnItsWay.exchange(false, ordering: .acquiringAndReleasing)
    }
}
