import KVM
import LinuxSystem

/// The registers with which the first processor starts. The others wait in their state after
/// power-on until it starts them.
extension Processor {
    func setEntry(_ entry: BootEntry) throws(SystemError) {
        guard var special = SpecialRegisters(bytes: try hardware.state(.specialRegisters)) else {
            throw SystemError(
                "read the special registers of", "processor \(identifier)", .notSupported)
        }
        let general: GeneralRegisters
        switch entry {
        case .pvh(let address, let startInfo):
            general = .pvhEntry(address: address, startInfo: startInfo)
            special.enterProtectedMode()
        case .linux64(let address, let bootParameters):
            general = .linuxEntry(address: address, bootParameters: bootParameters)
            special.enterLongMode()
        }
        try hardware.setState(.specialRegisters, special.bytes)
        try hardware.setState(.generalRegisters, general.bytes)
    }

    /// Write-back memory and fast string operations, as firmware leaves them on every processor:
    /// Linux worries when they differ. A processor without these registers is as well off.
    func setFirmwareRegisters() throws(SystemError) {
        _ = try hardware.setModelSpecificRegisters([
            ModelSpecificRegister(index: 0x2ff, value: 0x806),
            ModelSpecificRegister(index: 0x1a0, value: 1),
        ])
    }
}

extension GeneralRegisters {
    /// EBX has the address of the start info; interrupts are off.
    static func pvhEntry(address: UInt32, startInfo: UInt32) -> GeneralRegisters {
        var registers = GeneralRegisters()
        registers[.rip] = UInt64(address)
        registers[.rbx] = UInt64(startInfo)
        return registers
    }

    /// RSI has the address of `boot_params`; interrupts are off.
    static func linuxEntry(address: UInt64, bootParameters: UInt64) -> GeneralRegisters {
        var registers = GeneralRegisters()
        registers[.rip] = address
        registers[.rsi] = bootParameters
        return registers
    }
}

extension SpecialRegisters {
    /// 32-bit protected mode with flat segments and without paging, as PVH wants it.
    mutating func enterProtectedMode() {
        setFlatSegments(isLong: false)
        gdt = Table(base: 0, limit: 0)
        idt = Table(base: 0, limit: 0)
        cr0 = 0x11  // protected mode; the bit for a coprocessor is always set
        cr3 = 0
        cr4 = 0
        efer = 0
    }

    /// Long mode with flat segments over the loader's page tables, as Linux wants it.
    mutating func enterLongMode() {
        setFlatSegments(isLong: true)
        gdt = Table(
            base: BootLayout.descriptorTable,
            limit: UInt16(FlatSegments.descriptorTable.count - 1))
        idt = Table(base: 0, limit: 0)
        cr0 = 0x8000_0011  // paging as well
        cr3 = BootLayout.pageTables
        cr4 = 0x20  // physical address extension
        efer = 0x500  // long mode enabled and active
    }

    private mutating func setFlatSegments(isLong: Bool) {
        cs = .flat(FlatSegments.codeSelector, type: 0xb)
        cs.isLong = isLong
        cs.isDefault32 = !isLong
        let data = Segment.flat(FlatSegments.dataSelector, type: 0x3)
        (ds, es, fs, gs, ss) = (data, data, data, data, data)
        tr = Segment()
        tr.limit = 0x67
        tr.type = 0xb  // a busy task
        tr.isPresent = true
    }
}

extension SpecialRegisters.Segment {
    /// A segment over all of 4 GiB, for the most privileged level.
    fileprivate static func flat(_ selector: UInt16, type: UInt8) -> Self {
        var segment = Self()
        segment.limit = 0xffff_ffff
        segment.selector = selector
        segment.type = type
        segment.isPresent = true
        segment.isCodeOrData = true
        segment.isDefault32 = true
        segment.hasPageGranularity = true
        return segment
    }
}
