import ControlAPI
import Machine
import Virtio

/// The devices as `vm.info` shows them.
extension KVMGuest {
    /// All devices that the guest has, by name. A virtio device is the child of its PCI function.
    var deviceTree: [String: DeviceNode] {
        var nodes: [DeviceNode] = []
        if configuration.serial.mode != .off { nodes.append(serialNode) }
        for member in devices.members where !member.isEjected {
            guard let function = bus.device(at: member.slot)?.function else { continue }
            var device = DeviceNode(id: member.device.identifier)
            var parent = DeviceNode(id: "_virtio-pci-\(device.id)")
            device.parent = parent.id
            parent.children = [device.id]
            parent.pciBDF = "\(PCIAddress(device: UInt8(truncatingIfNeeded: member.slot)))"
            parent.resources = function.ranges.map { register, addresses in
                .baseAddress(
                    DeviceResource.PCIBar(
                        index: UInt64(register.index), base: addresses.lowerBound,
                        size: register.size,
                        kind: register.width == .bits32 ? .mmio32 : .mmio64))
            }
            nodes += [device, parent]
        }
        return Dictionary(nodes.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private var serialNode: DeviceNode {
        var node = DeviceNode(id: VmConfig.serialName)
        let ports = SerialPort.ports
        node.resources = [
            .ports(.init(base: ports.lowerBound, size: ports.upperBound - ports.lowerBound)),
            .interruptLine(SerialPort.interruptLine),
        ]
        return node
    }
}
