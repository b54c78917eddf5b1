/// Finds the functions on the buses, and gives addresses to the memory regions which have none.
final class Bus {
    private static let depthLimit = 8

    private let space: ConfigurationSpace
    private let tables: PageTables
    /// Where unassigned regions are put: below 4 GiB, above RAM.
    private var next: UInt64
    private let windowEnd: UInt64

    init(_ space: ConfigurationSpace, _ tables: PageTables, _ memory: PhysicalMemory) {
        self.space = space
        self.tables = tables
        // 3 GiB is where the PCI hole of all VMMs of interest begins, unless RAM goes further.
        let alignment: UInt64 = 16 << 20
        next = max(0xc000_0000, (memory.topBelow4GiB + alignment - 1) & ~(alignment - 1))
        // It ends where the configuration window or the interrupt controllers begin.
        let interruptControllers: UInt64 = 0xfec0_0000
        if case .window(let base) = space, base > next, base < interruptControllers {
            windowEnd = base
        } else {
            windowEnd = interruptControllers
        }
    }

    /// Calls `body` for every function, behind bridges too where firmware has numbered them.
    func forEachFunction(_ body: (Function) -> Void) { scan(bus: 0, depth: 0, body) }

    private func scan(bus: UInt32, depth: Int, _ body: (Function) -> Void) {
        guard depth < Self.depthLimit else { return }
        for device: UInt32 in 0..<32 {
            var count: UInt32 = 1
            var number: UInt32 = 0
            while number < count {
                let address = FunctionAddress(bus: bus, device: device, function: number)
                let function = Function(address, space, self)
                number += 1
                guard function.exists else { continue }
                if function.headerType & 0x80 != 0 { count = 8 }
                if function.headerType & 0x7f == 1 {
                    let secondary = function.read32(0x18) >> 8 & 0xff
                    if secondary > bus { scan(bus: secondary, depth: depth + 1, body) }
                } else {
                    body(function)
                }
            }
        }
    }

    /// An address for a region of `size` bytes, a power of two. Nil: the window is full.
    func assign(_ size: UInt64) -> UInt64? {
        let start = (next + size - 1) & ~(size - 1)
        guard start + size <= windowEnd else { return nil }
        next = start + size
        return start
    }

    /// Makes a region reachable.
    func map(_ start: UInt64, size: UInt64) -> Bool { tables.map(start, size: size) }
}
