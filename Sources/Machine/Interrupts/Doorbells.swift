public import LinuxSystem

/// Where a guest's write signals an event instead of leaving the guest.
public struct Doorbell: Hashable, Sendable {
    /// Guest physical address of the write.
    public let address: UInt64

    /// Bytes of the write: 1, 2, 4 or 8.
    public let width: Int

    /// The only value that counts; nil for any.
    public let match: UInt64?

    /// Describes a doorbell; `Doorbells.attach` puts it in place.
    public init(address: UInt64, width: Int, match: UInt64? = nil) {
        self.address = address
        self.width = width
        self.match = match
    }
}

/// What doorbells need from the kernel: KVM's ioeventfd, or a recorder in tests.
public protocol DoorbellController: AnyObject, Sendable {
    /// Signals `event` on every write that fits `doorbell`; such writes reach no bus device.
    func attach(_ event: borrowing EventDescriptor, to doorbell: Doorbell) throws(SystemError)

    /// Undoes `attach` with the same event and doorbell.
    func detach(_ event: borrowing EventDescriptor, from doorbell: Doorbell) throws(SystemError)
}

/// Places doorbells of devices in the guest's memory-mapped addresses.
public final class Doorbells: Sendable {
    private let controller: any DoorbellController

    /// Doorbells that `controller` keeps.
    public init(controller: any DoorbellController) {
        self.controller = controller
    }

    /// Signals `event` on every write that fits `doorbell`. A write that fits none still reaches
    /// the device on the bus.
    public func attach(
        _ event: borrowing EventDescriptor, to doorbell: Doorbell
    ) throws(InterruptError) {
        do throws(SystemError) {
            try controller.attach(event, to: doorbell)
        } catch {
            throw .system(error)
        }
    }

    /// Takes a doorbell away, for instance before its BAR moves. Writes that the guest made before
    /// have signalled the event.
    public func detach(
        _ event: borrowing EventDescriptor, from doorbell: Doorbell
    ) throws(InterruptError) {
        do throws(SystemError) {
            try controller.detach(event, from: doorbell)
        } catch {
            throw .system(error)
        }
    }
}
