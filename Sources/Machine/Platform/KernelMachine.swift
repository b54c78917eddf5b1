import KVM
import LinuxSystem

/// The guest's machine in the kernel, shared by everything that uses it.
final class KernelMachine: Sendable {
    let machine: KVMVirtualMachine

    init(_ machine: consuming KVMVirtualMachine) {
        self.machine = machine
    }
}

extension KernelMachine: InterruptChip {
    func setRoutes(_ routes: [InterruptRoute]) throws(SystemError) {
        try machine.setRoutes(
            routes.map { route in
                switch route {
                case .pin(let gsi, let chip, let pin):
                    .pin(gsi: gsi, chip: chip.rawValue, pin: pin)
                case .message(let gsi, let address, let data):
                    .message(gsi: gsi, address: address, data: data)
                }
            })
    }

    func attach(
        _ event: borrowing EventDescriptor, to gsi: UInt32
    ) throws(SystemError) {
        try machine.attach(event, gsi: gsi)
    }

    func detach(
        _ event: borrowing EventDescriptor, from gsi: UInt32
    ) throws(SystemError) {
        try machine.detach(event, gsi: gsi)
    }
}

extension KernelMachine: DoorbellController {
    func attach(
        _ event: borrowing EventDescriptor, to doorbell: Doorbell
    ) throws(SystemError) {
        try machine.attach(event, to: doorbell.write)
    }

    func detach(
        _ event: borrowing EventDescriptor, from doorbell: Doorbell
    ) throws(SystemError) {
        try machine.detach(event, from: doorbell.write)
    }
}

extension Doorbell {
    fileprivate var write: KVMVirtualMachine.Write {
        KVMVirtualMachine.Write(
            .memory(address), length: UInt32(clamping: width), value: match)
    }
}
