import Intrinsics

/// The loader's magic number.
private let startInfoMagic: UInt32 = 0x336e_c578

/// What all vCPUs work on; set before the others are woken.
nonisolated(unsafe) private var theGuest: Guest?

/// Where the boot processor comes to, at CPL3, with interrupts off.
@_cdecl("nestling_boot")
func boot(_ startInfo: UnsafePointer<start_info>) -> Never {
    InterruptTable.fill()
    let serial = Serial()
    emergencySerial = serial
    let information = startInfo.pointee
    guard information.magic == startInfoMagic, information.version >= 1,
        information.memory_map_count > 0
    else { stop(what: "no_memory_map") }
    Power.sleepRegister = ACPI(rootPointer: information.root_pointer)?.sleepRegister
    let options = Options(CommandLine(at: information.command_line))
    if let unknown = options.unknown { refuse(unknown) }
    // The old interrupt controllers are masked: firmware may have left them on.
    port_write8(0x21, 0xff)
    port_write8(0xa1, 0xff)
    guard let clock = Clock() else { stop(what: "no_clock") }
    let memory = PhysicalMemory(information)
    let tables = PageTables(memory)
    for index in 0..<memory.regionCount {
        let region = memory.regions[index]
        if !tables.map(region.start, size: region.size) { stop(what: "no_page_tables") }
    }
    let guest = Guest(
        clock: clock, options: options, reporter: Reporter(serial), memory: memory)
    theGuest = guest
    addProcessors(to: guest)
    // Before the devices: what comes while interrupts are off waits, but only in an enabled APIC.
    LocalAPIC.enable()
    let devices = Devices(information, tables, memory, clock, guest.reporter)
    guest.reporter.console = devices.console
    addWorkloads(to: guest, devices)
    call_enable_interrupts()
    startProcessors(of: guest)
    let processor = guest.processors[0]
    LocalAPIC.startTick(processor, clock)
    announce(guest, devices)
    var conductor = Conductor(guest)
    conductor.run()
}

/// Where the other processors come to.
@_cdecl("nestling_processor_main")
func runProcessor(_ block: UnsafePointer<nestling_processor>) -> Never {
    guard let guest = theGuest else { stop(what: "no_guest") }
    let processor = guest.processors[Int(block.pointee.index)]
    LocalAPIC.enable()
    call_enable_interrupts()
    LocalAPIC.startTick(processor, guest.clock)
    var worker = Worker(processor, guest)
    while true {
        let seen = processor.interrupts
        if !worker.step() { processor.sleep(seen: seen) }
    }
}

private func refuse(_ word: Text) -> Never {
    var line = Line("error")
    line.add("what", "option")
    line.add("word", word)
    line.finish()
    stop(line)
}

private func addProcessors(to guest: Guest) {
    let tick = guest.clock.cycles(milliseconds: guest.options.tickMilliseconds)
    guest.processors.append(Processor(boot: guest.clock, tick: tick))
    for index in 1..<guest.options.processors {
        guard
            let other = Processor(
                index: index, clock: guest.clock, tick: tick, memory: guest.memory)
        else { stop(what: "no_memory_for_vcpus") }
        guest.processors.append(other)
    }
}

private func addWorkloads(to guest: Guest, _ devices: Devices) {
    for index in 0..<guest.processors.count { addMemoryWorkload(index, to: guest) }
    for index in 0..<DiskOptions.limit {
        if let options = guest.options.disks[index] {
            guard options.number < devices.disks.count else { stop(what: "no_such_disk") }
            guard
                let workload = DiskWorkload(
                    options, devices.disks[options.number], clock: guest.clock,
                    memory: guest.memory, reporter: guest.reporter)
            else { stop(what: "no_memory_for_disk") }
            guest.disks.append(workload)
        }
    }
    if let options = guest.options.network {
        guard let device = devices.network else { stop(what: "no_network_device") }
        let host = Host(options, device, guest.clock)
        ARP.announce(host)
        guest.network = host
    }
    // Last, since it takes all memory that is left.
    if let fill = guest.options.fill {
        guest.fill = FillWorkload(fill, memory: guest.memory, reporter: guest.reporter)
    }
}

private func addMemoryWorkload(_ index: Int, to guest: Guest) {
    guard let options = guest.options.memory else { return guest.memoryWorkloads.append(nil) }
    let shares = min(options.processors ?? guest.processors.count, guest.processors.count)
    guard index < shares else { return guest.memoryWorkloads.append(nil) }
    guard
        let part = MemoryWorkload(
            options, share: index, of: shares, processor: guest.processors[index],
            clock: guest.clock, memory: guest.memory, reporter: guest.reporter)
    else { stop(what: "no_memory_for_workload") }
    guest.memoryWorkloads.append(part)
}

/// Wakes the other processors and waits until all have come.
private func startProcessors(of guest: Guest) {
    let others = guest.processors.count - 1
    guard others > 0 else { return }
    let target = pointer(UInt64(TRAMPOLINE_ADDRESS), to: UInt8.self)
    let source = pointer(trampoline_start_address(), to: UInt8.self)
    let size = trampoline_end_address() - trampoline_start_address()
    for index in 0..<Int(size) { target[index] = source[index] }
    let list = pointer(waiting_processors_address(), to: UInt64.self)
    for index in 0..<others { list[index] = guest.processors[index + 1].block.pointee.`self` }
    shared_store64(pointer(waiting_count_address(), to: UInt64.self), UInt64(others))
    LocalAPIC.startOthers(guest.clock)
    let arrived = pointer(arrived_count_address(), to: UInt64.self)
    for _ in 0..<2000 {
        if shared_load64(arrived) >= UInt64(others) { return }
        guest.clock.spin(microseconds: 1000)
    }
    stop(what: "missing_vcpus")
}

private func announce(_ guest: Guest, _ devices: Devices) {
    var line = Line("boot")
    line.add("version", 1)
    line.add("vcpus", UInt64(guest.processors.count))
    line.add("ram", guest.memory.total)
    line.add("tsc_khz", guest.clock.kilohertz)
    line.add("disks", UInt64(devices.disks.count))
    line.add("net", devices.network == nil ? 0 : 1)
    line.add("rng_bytes", devices.entropyBytes)
    line.add("console", devices.console == nil ? 0 : 1)
    guest.reporter.write(line)
}
