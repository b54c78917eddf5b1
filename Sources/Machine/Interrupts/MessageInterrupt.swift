public import LinuxSystem

/// An interrupt that a PCI device sends as a message (MSI, MSI-X).
public final class MessageInterrupt: Sendable, InterruptSource {
    /// Signalling it sends the message. While there is no route the kernel drops signals, so the
    /// device keeps a masked interrupt as pending itself.
    public let event: EventDescriptor

    let gsi: UInt32
    private let router: InterruptRouter

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

    /// Sends the message, from any thread.
    public func trigger() {
        event.signal()
    }
}
