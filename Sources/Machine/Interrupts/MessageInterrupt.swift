import LinuxSystem
private import Synchronization

/// An interrupt that a PCI device sends as a message (MSI, MSI-X).
public final class MessageInterrupt: Sendable, InterruptSource {
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

    /// Sets what is sent: the address and data that the guest wrote to the vector's table entry.
    public func route(address: UInt64, data: UInt32) throws(InterruptError) {
        try router.setRoute(InterruptMessage(address: address, data: data), of: gsi)
    }

    /// Takes the route away; nothing is sent until the next `route`.
    public func unroute() throws(InterruptError) {
        try router.setRoute(nil, of: gsi)
    }

    /// Sends the message, from any thread. While there is no route the kernel drops it, so the
    /// device keeps a masked interrupt as pending itself.
    public func trigger() {
        isOnItsWay.store(true, ordering: .releasing)
        event.signal()
    }

    func takeOnItsWay() -> Bool {
        isOnItsWay.exchange(false, ordering: .acquiringAndReleasing)
    }
}
