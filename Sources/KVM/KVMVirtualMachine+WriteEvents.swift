internal import CLinux
public import LinuxSystem

extension KVMVirtualMachine {
    /// A write of the guest that signals an event in the kernel instead of leaving the guest.
    public struct Write: Hashable, Sendable {
        /// Where the guest writes.
        public enum Place: Hashable, Sendable {
            /// A port.
            case port(UInt16)
            /// A guest physical address without memory.
            case memory(UInt64)
        }

        /// Where the guest writes.
        public let place: Place
        /// Bytes of the write: 1, 2, 4, 8, or 0 for a memory write of any length.
        public let length: UInt32
        /// The only value that counts; nil for any. Not with a length of 0.
        public let value: UInt64?

        /// A write with all its parts.
        public init(_ place: Place, length: UInt32, value: UInt64? = nil) {
            self.place = place
            self.length = length
            self.value = value
        }
    }

    /// Signals the event on every such write, until `detach`.
    public func attach(
        _ event: borrowing EventDescriptor, to write: Write
    ) throws(SystemError) {
        try setWriteEvent(event, write, flags: 0, "attach")
    }

    /// Undoes `attach`, with the same arguments. Earlier writes have signalled the event.
    public func detach(
        _ event: borrowing EventDescriptor, from write: Write
    ) throws(SystemError) {
        try setWriteEvent(event, write, flags: CLINUX_KVM_IOEVENTFD_DEASSIGN, "detach")
    }

    private func setWriteEvent(
        _ event: borrowing EventDescriptor, _ write: Write, flags: UInt32, _ verb: String
    ) throws(SystemError) {
        var structure = kvm_ioeventfd()
        structure.fd = event.descriptor.rawValue
        structure.len = write.length
        structure.flags = flags
        switch write.place {
        case .port(let port):
            structure.addr = UInt64(port)
            structure.flags |= CLINUX_KVM_IOEVENTFD_PIO
        case .memory(let address):
            structure.addr = address
        }
        if let value = write.value {
            structure.datamatch = value
            structure.flags |= CLINUX_KVM_IOEVENTFD_DATAMATCH
        }
        // SAFETY: the structure of this request.
        try unsafe descriptor.request(
            CLINUX_KVM_IOEVENTFD, "\(verb) \(event.descriptor.name) for writes in", &structure)
    }
}
