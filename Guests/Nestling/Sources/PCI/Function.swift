/// One PCI function.
struct Function {
    private static let memoryEnable: UInt32 = 1 << 1
    private static let busMasterEnable: UInt32 = 1 << 2
    private static let hasCapabilities: UInt32 = 1 << 20

    let address: FunctionAddress
    private let space: ConfigurationSpace
    private let bus: Bus

    init(_ address: FunctionAddress, _ space: ConfigurationSpace, _ bus: Bus) {
        self.address = address
        self.space = space
        self.bus = bus
    }

    var vendor: UInt32 { read32(0) & 0xffff }
    var device: UInt32 { read32(0) >> 16 }
    var subsystem: UInt32 { read32(0x2c) >> 16 }
    var headerType: UInt32 { read32(0x0c) >> 16 & 0xff }
    var exists: Bool { vendor != 0xffff && vendor != 0 }

    func read32(_ offset: UInt32) -> UInt32 { space.read32(address, offset) }
    func write32(_ offset: UInt32, _ value: UInt32) { space.write32(address, offset, value) }

    /// Lets the function answer at its regions and reach memory.
    func enable() {
        write32(0x04, read32(0x04) & 0xffff | Self.memoryEnable | Self.busMasterEnable)
    }

    /// Calls `body` with the number and the offset of each capability.
    func forEachCapability(_ body: (_ number: UInt32, _ offset: UInt32) -> Void) {
        guard read32(0x04) & Self.hasCapabilities != 0 else { return }
        var offset = read32(0x34) & 0xfc
        // As many as have room: a list that runs in a circle ends too.
        for _ in 0..<48 where offset >= 0x40 {
            let header = read32(offset)
            body(header & 0xff, offset)
            offset = header >> 8 & 0xfc
        }
    }

    /// Where a memory region lies; it gets an address if it has none. Nil: there is no such region,
    /// or no room for it.
    func region(_ number: UInt32) -> UInt64? {
        guard number < 6 else { return nil }
        let offset = 0x10 + number * 4
        let low = read32(offset)
        let isPort = low & 1 == 1
        guard !isPort else { return nil }
        let isWide = low >> 1 & 3 == 2
        guard !isWide || number < 5 else { return nil }
        let size = regionSize(offset, isWide: isWide)
        guard size > 0 else { return nil }
        var start = UInt64(low & ~0xf)
        if isWide { start |= UInt64(read32(offset + 4)) << 32 }
        if start == 0 {
            guard let assigned = bus.assign(max(size, 4096)) else { return nil }
            start = assigned
            write32(offset, UInt32(truncatingIfNeeded: start))
            if isWide { write32(offset + 4, UInt32(truncatingIfNeeded: start >> 32)) }
        }
        return bus.map(start, size: size) ? start : nil
    }

    /// Writes ones and looks which stay. The function must not answer at such addresses meanwhile.
    private func regionSize(_ offset: UInt32, isWide: Bool) -> UInt64 {
        let command = read32(0x04) & 0xffff
        let low = read32(offset)
        let high = isWide ? read32(offset + 4) : 0
        write32(0x04, command & ~3)
        write32(offset, UInt32.max)
        var mask = UInt64(read32(offset) & ~0xf) | 0xffff_ffff << 32
        write32(offset, low)
        if isWide {
            write32(offset + 4, UInt32.max)
            mask = mask & 0xffff_ffff | UInt64(read32(offset + 4)) << 32
            write32(offset + 4, high)
        }
        write32(0x04, command)
        return mask & 0xffff_ffff == 0 && !isWide ? 0 : ~mask &+ 1
    }
}
