import ControlAPI
import GuestMemory
import KVM
import LinuxSystem
import Logging
import Machine
import StateCoding
import Synchronization
import Virtio

/// What a guest does that its owner has to act on.
enum GuestNotice: Sendable {
    /// Something to its whole machine.
    case event(GuestEvent)
    /// It has ejected a device.
    case ejected
}

/// Told what a guest does, from any thread; must not wait.
typealias GuestNoticeHandler = @Sendable (GuestNotice) -> Void

/// A guest on KVM: the platform, the PCI bus and the virtio devices on it.
///
/// It is built unbound and without state; booting or a migration's destination goes on from
/// there. Who may call what in which order is decided by the types that own it
/// (`VirtualMachine` and its relatives).
final class KVMGuest: Sendable {
    /// The guest's RAM.
    let memory: GuestRAM

    let platform: Platform
    let bus: PCIBus
    let configurationPorts: ConfigurationPorts
    let devices: DeviceSet
    let environment: VMMEnvironment
    let mapper: MemoryMapper
    private let settled: Mutex<VmConfig>
    private let handler: GuestNoticeHandler

    /// Builds the machine with all devices; opens nothing.
    ///
    /// - Parameters:
    ///   - arrived: what the processors are of a guest that comes from elsewhere; nil for a new
    ///     one, which gets what its profile says.
    ///   - handler: told what the guest does.
    init(
        building configuration: VmConfig, memory: GuestRAM, arrived: GuestDescription?,
        _ environment: VMMEnvironment, handler: @escaping GuestNoticeHandler
    ) throws(GuestError) {
        self.memory = memory
        self.environment = environment
        self.handler = handler
        do {
            var configuration = configuration
            configuration.nameDevices()
            try configuration.placeDevices()
            settled = Mutex(configuration)
            platform = try Platform(
                configuration: PlatformConfiguration(configuration, arrived: arrived),
                memory: memory, onEvent: { handler(.event($0)) })
            mapper = MemoryMapper(
                platform: platform, memory: memory, logger: environment.logger)
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
            devices = DeviceSet(
                try DeviceFactory.makeDevices(configuration, loop: platform.loop))
            for member in devices.members { try insert(member) }
            platform.events.onCrashKernelStart {
                environment.logger.warning(
                    "The guest's kernel has panicked and starts its crash kernel")
                environment.events.record(.panicked)
            }
        } catch {
            throw .machine("\(error)")
        }
        // Not strongly: the platform is this guest's.
        platform.events.hotPlug.onEject { [weak self] slot in self?.eject(slot: slot) }
    }

    deinit {
        bus.removeAll()
    }

    /// Builds a guest, binds everything and loads its kernel; `start` boots it.
    convenience init(
        booting configuration: VmConfig, _ environment: VMMEnvironment,
        handler: @escaping GuestNoticeHandler
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
            building: configuration, memory: memory, arrived: nil, environment, handler: handler)
        do {
            try bindSerialPort()
            try devices.bind()
            noteTerminals()
            try platform.serial.takeOver()
            try devices.takeOver(nil)
            try platform.load(boot)
        } catch {
            letGo()
            throw .machine("\(error)")
        }
    }

    /// What it is built from, as it is now: with the names and slots of all devices, those added
    /// since included.
    var configuration: VmConfig { settled.withLock { $0 } }

    /// What keeps the guest from being started anew on this host, in words that follow "and"; nil
    /// when its kernel and its initramfs can be read.
    var whyNotRestartable: String? {
        guard let payload = configuration.payload, let kernel = payload.kernel else {
            return "its configuration names no kernel"
        }
        for path in [kernel, payload.initramfs].compactMap(\.self) {
            do throws(SystemError) {
                _ = try OwnedDescriptor(opening: path)
            } catch {
                return "its boot file cannot be read on this host: \(error)"
            }
        }
        return nil
    }

    /// Changes what it is built from; for its owner.
    func setConfiguration(_ configuration: VmConfig) {
        settled.withLock { $0 = configuration }
    }

    /// Tells the owner what the guest does.
    func notify(_ notice: GuestNotice) {
        handler(notice)
    }

    /// Puts a device on the bus.
    func insert(_ member: DeviceSet.Member) throws {
        let transport = try VirtioPCITransport(
            device: member.device, memory: memory, router: platform.interrupts,
            doorbells: platform.doorbells,
            report: DeviceReporter(member.device.identifier, environment).report)
        try bus.insert(transport, slot: member.slot)
    }

    /// How often vCPUs needed this process.
    var processorExits: [ProcessorExits] { platform.processorExits }

    /// What the devices have counted.
    var counters: VmCounters { devices.counters }

    /// Connects the serial port to what any number of processes may have open.
    func bindSerialPort() throws(SystemError) {
        let serial = configuration.serial
        try platform.serial.bind(
            SerialOutput(serial.mode, file: serial.file, socket: serial.socket),
            loop: platform.loop)
    }

    /// Says where the terminals of serial port and console are: in the configuration, as Cloud
    /// Hypervisor does, and in the log.
    func noteTerminals() {
        var configuration = configuration
        if let path = platform.serial.terminalPath {
            configuration.serial.file = path
            environment.logger.info("serial: its terminal is \(path)")
        }
        for case let console as ConsoleDevice in devices.members.map(\.device) {
            guard let path = console.terminalPath else { continue }
            configuration.console.file = path
            environment.logger.info("\(console.identifier): its terminal is \(path)")
        }
        setConfiguration(configuration)
    }
}

extension PlatformConfiguration {
    /// What the schema's processors and memory say, and what came with a guest.
    init(_ configuration: VmConfig, arrived: GuestDescription?) {
        let cpus = configuration.cpus
        self.init(
            processorCount: Int(cpus.bootVcpus),
            cpuid: arrived.map { GuestCPUID(entries: $0.cpuid) })
        profile = Machine.CPUProfile(cpus.profile)
        maximumAddressBits = Int(cpus.maxPhysBits)
        registers = arrived?.registers ?? []
        dirtyTracking = configuration.memory.dirtyTracking == .ring ? .ring : .log
    }
}

extension Machine.CPUProfile {
    /// What the schema calls it.
    init(_ profile: ControlAPI.CPUProfile) {
        self =
            switch profile {
            case .host: .host
            case .level1: .level1
            case .level2: .level2
            case .level3: .level3
            case .level4: .level4
            }
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
    /// What the schema says of a serial port or a console.
    init(_ mode: ConsoleMode, file: String?, socket: String?) {
        switch mode {
        case .tty: self = .standardStreams
        case .file: self = file.map { .file(path: $0) } ?? .null
        case .socket: self = socket.map { .socket(path: $0) } ?? .null
        case .pty: self = .terminal
        case .off, .null: self = .null
        }
    }
}
