public import GuestMemory
import KVM
import LinuxSystem
import Synchronization

/// The x86-64 machine of a guest without its PCI devices: RAM, processors, interrupt chips, clock,
/// serial port, power ports and events, and the buses on which devices are placed.
///
/// Its processors are parked until `start`. One owner at a time starts, pauses, saves and loads it;
/// buses, interrupts and the event loop can be used from any thread. A guest that starts anew gets
/// a new platform.
public final class Platform: Sendable {
    /// The guest's RAM.
    public let memory: GuestRAM

    /// Devices at ports.
    public let ports = IOBus()

    /// Devices at memory-mapped addresses.
    public let mmio = IOBus()

    /// The guest's interrupts.
    public let interrupts: InterruptRouter

    /// Writes of the guest that signal events.
    public let doorbells: Doorbells

    /// The devices' thread.
    public let loop: EventLoop

    /// The serial port, which is bound to nothing at first.
    public let serial: SerialPort

    /// What the guest is told through ACPI.
    public let events: PlatformEvents

    /// What CPUID answers in the guest.
    public let cpuid: GuestCPUID

    /// The registers that tell the guest, besides CPUID, what its processors are.
    public let featureRegisters: [GuestRegister]

    let kernel: KernelMachine
    let processors: [Processor]
    let registerLists: RegisterLists
    let hostBoot: String
    let dirtyLog: DirtyLog
    let throttle: ProcessorThrottle
    /// What `load` leaves for `loadLate`.
    let pendingState = Mutex<[ProcessorState]>([])

    private let relay: GuestEventRelay
    private let phase = Mutex(Phase())

    private struct Phase {
        var isRunning = false
        /// Whether guest code was stopped, here or where the state comes from.
        var wasInterrupted = false
    }

    /// Builds the machine around `memory`.
    ///
    /// - Parameters:
    ///   - configuration: processors and their features. Leaves that came with a guest are
    ///     compared with what the host has.
    ///   - memory: regions as `PhysicalLayout` places them.
    ///   - onEvent: told what the guest does to its whole machine, on a processor's thread, which
    ///     it must not block: not the place to wait for a pause.
    public init(
        configuration: PlatformConfiguration, memory: GuestRAM,
        onEvent: @escaping @Sendable (GuestEvent) -> Void
    ) throws(PlatformError) {
        let builder = try PlatformBuilder(configuration: configuration, memory: memory)
        let relay = GuestEventRelay(handler: onEvent)
        self.memory = memory
        self.relay = relay
        kernel = builder.kernel
        interrupts = InterruptRouter(chip: builder.kernel)
        doorbells = Doorbells(controller: builder.kernel)
        loop = try platform { () throws(SystemError) in
            try EventLoop(name: "devices") { error in
                relay.raise(.crashed(description: "Its devices have stopped: \(error)"))
            }
        }
        do throws(InterruptError) {
            serial = SerialPort(
                interrupt: try interrupts.allocateLine(SerialPort.interruptLine))
            events = PlatformEvents(
                interrupt: try interrupts.allocateLine(PortLayout.eventInterrupt)
            ) { relay.raise(.panicked) }
        } catch {
            throw .interrupt(error)
        }
        do throws(BusError) {
            try ports.insert(serial, at: SerialPort.ports)
            try ports.insert(events.registers, at: PortLayout.events)
            try ports.insert(events.panicPort, at: PortLayout.panic)
            try insertPowerPorts(into: ports) { relay.raise($0) }
        } catch {
            throw .bus(error)
        }
        let made = try builder.makeProcessors(ports: ports, memory: mmio) { relay.raise($0) }
        processors = made.processors
        cpuid = made.cpuid
        featureRegisters = made.featureRegisters
        registerLists = made.registerLists
        hostBoot = made.hostBoot
        switch configuration.dirtyTracking {
        case .log:
            dirtyLog = DirtyLog(
                kernel: builder.kernel, memory: memory, wanted: configuration.dirtyLogMode)
        case .ring:
            let rings = try platform { () throws(SystemError) in
                try DirtyRings(
                    kernel: builder.kernel, memory: memory, processors: made.processors)
            }
            dirtyLog = DirtyLog(kernel: builder.kernel, memory: memory, rings: rings)
        }
        throttle = ProcessorThrottle(processors)
        relay.connect(processors)
    }

    deinit {
        relay.connect([])
        throttle.end()
        for processor in processors { processor.end() }
        serial.unbind()
        loop.stop()
    }

    /// How often each processor left the guest for this process.
    public var processorExits: [ProcessorExits] {
        processors.map { $0.exits.values(of: $0.identifier) }
    }

    /// Whether the processors run, as far as the owner started them.
    public var isRunning: Bool { phase.withLock { $0.isRunning } }

    /// What the guest did to its machine last, after which it does not run on.
    public var pendingEvent: GuestEvent? { relay.pending }

    /// Lets the processors run. A guest with a pending event does not run; its owner is told of
    /// the event again.
    public func start() throws(PlatformError) {
        guard !relay.repeatPending() else { return }
        if phase.withLock({ $0.wasInterrupted }) {
            // Watchdogs of the guest shall not take its pause for a hang.
            for processor in processors {
                try platform { () throws(SystemError) in try processor.hardware.notePause() }
            }
        }
        phase.withLock { $0.isRunning = true }
        for processor in processors { processor.resume() }
        serial.resume()
        events.registers.repeatPending()
    }

    /// Brings all processors out of the guest, all at the same time, and waits for them. Accesses
    /// of the guest that have begun are complete then.
    public func pause() throws(PlatformError) {
        // Whoever starts it again starts it at its full speed.
        throttle.end()
        for processor in processors { processor.requestPause() }
        for processor in processors {
            try platform { () throws(SystemError) in try processor.waitUntilParked() }
        }
        phase.withLock { phase in
            phase.wasInterrupted = phase.wasInterrupted || phase.isRunning
            phase.isRunning = false
        }
        serial.quiesce()
    }

    /// Sends a non-maskable interrupt to all processors, as a PC's button for it does. It reaches
    /// those of a guest that is paused when they run again. From any thread.
    public func injectNMI() throws(PlatformError) {
        for processor in processors {
            try platform { () throws(SystemError) in try processor.injectNMI() }
        }
    }

    /// Loads a kernel and the ACPI tables into fresh memory; the next `start` starts it.
    public func load(_ boot: BootConfiguration) throws(PlatformError) {
        let entry: BootEntry
        do throws(BootError) {
            entry = try BootLoader(memory: memory, processorCount: processors.count).load(boot)
        } catch {
            throw .boot(error)
        }
        try platform { () throws(SystemError) in
            try InterruptChipState.maskLegacyInterrupts(of: kernel)
            try processors.first?.setEntry(entry)
            for processor in processors { try processor.setFirmwareRegisters() }
        }
    }

    /// Takes note that the guest comes from elsewhere, with what it did there last.
    func noteArrival(pending: GuestEvent?) {
        phase.withLock { $0.wasInterrupted = true }
        relay.setPending(pending)
    }

    func requirePaused(_ operation: String) throws(PlatformError) {
        guard !isRunning else { throw .running(operation: operation) }
    }
}
