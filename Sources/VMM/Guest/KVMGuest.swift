import ControlAPI
import GuestMemory
import KVM
import LinuxSystem
import Logging
import Machine
import StateCoding
import Synchronization
import Virtio

/// Told what a guest does to its whole machine, from any thread; must not wait.
typealias GuestEventHandler = @Sendable (GuestEvent) -> Void

/// A guest on KVM: the platform, the PCI bus and the virtio devices on it.
///
/// It is built unbound and without state; booting or a migration's destination goes on from
/// there. Who may call what in which order is decided by the types that own it
/// (`VirtualMachine` and its relatives).
final class KVMGuest: Sendable {
    /// The guest's RAM.
    let memory: GuestRAM
    /// What it was built from.
    let configuration: VmConfig

    let platform: Platform
    let bus: PCIBus
    let configurationPorts: ConfigurationPorts
    let devices: DeviceSet
    let logger: Logger

    /// Builds the machine with all devices; opens nothing.
    ///
    /// - Parameters:
    ///   - cpuid: the leaves that came with the guest; nil for what the host has.
    ///   - handler: told what the guest does to its whole machine.
    init(
        building configuration: VmConfig, memory: GuestRAM, cpuid: GuestCPUID?,
        _ environment: VMMEnvironment, handler: @escaping GuestEventHandler
    ) throws(GuestError) {
        self.configuration = configuration
        self.memory = memory
        logger = environment.logger
        do {
            platform = try Platform(
                configuration: PlatformConfiguration(
                    processorCount: Int(configuration.cpus.bootVcpus), cpuid: cpuid),
                memory: memory, onEvent: handler)
            bus = PCIBus(
                memory: platform.mmio,
                windows: [
                    PhysicalLayout.mmio32,
                    PhysicalLayout.mmio64(memorySize: memory.byteCount),
                ])
            configurationPorts = ConfigurationPorts(bus: bus)
            try configurationPorts.insert(into: platform.ports)
            try platform.mmio.insert(
                ConfigurationWindow(bus: bus), at: PhysicalLayout.pciConfiguration)
            devices = try DeviceFactory.makeDevices(configuration, loop: platform.loop)
            for device in devices.devices {
                let transport = try VirtioPCITransport(
                    device: device, memory: memory, router: platform.interrupts,
                    doorbells: platform.doorbells,
                    report: DeviceReporter(device.identifier, environment).report)
                try bus.insert(transport)
            }
        } catch {
            throw .machine("\(error)")
        }
    }

    deinit {
        bus.removeAll()
    }

    /// Builds a guest, binds everything and loads its kernel; `start` boots it.
    convenience init(
        booting configuration: VmConfig, _ environment: VMMEnvironment,
        handler: @escaping GuestEventHandler
    ) throws(GuestError) {
        guard let boot = BootConfiguration(configuration.payload) else {
            throw .configuration("The guest has no kernel; set payload.kernel")
        }
        let memory = try GuestRAM.make(for: configuration.memory)
        var configuration = configuration
        do throws(SystemError) {
            try configuration.chooseEthernetAddresses()
        } catch {
            throw .machine("\(error)")
        }
        try self.init(
            building: configuration, memory: memory, cpuid: nil, environment, handler: handler)
        do {
            try bindConsoles()
            try devices.bind()
            try devices.takeOver(nil)
            try platform.load(boot)
        } catch {
            letGo()
            throw .machine("\(error)")
        }
    }

    /// What the devices have counted.
    var counters: VmCounters { devices.counters }

    /// Connects the serial port; any number of processes may write to what is behind it.
    func bindConsoles() throws(SystemError) {
        try platform.serial.bind(SerialOutput(configuration.serial), loop: platform.loop)
    }
}

extension BootConfiguration {
    /// What the schema's payload says; nil without a kernel.
    init?(_ payload: PayloadConfig?) {
        guard let payload, let kernel = payload.kernel else { return nil }
        self.init(
            kernel: kernel, initramfs: payload.initramfs, commandLine: payload.cmdline ?? "")
    }
}

extension SerialOutput {
    /// What the schema's serial port says.
    init(_ serial: SerialConfig) {
        switch serial.mode {
        case .tty: self = .standardStreams
        case .file: self = serial.file.map { .file(path: $0) } ?? .null
        case .off, .null, .pty, .socket: self = .null
        }
    }
}
