import Intrinsics

/// One vCPU, as its own code sees it.
final class Processor {
    let index: Int
    let block: UnsafeMutablePointer<nestling_processor>
    var gap: GapMeter

    /// The boot processor.
    init(boot clock: Clock) {
        index = 0
        block = pointer(boot_processor_address(), to: nestling_processor.self)
        gap = GapMeter(clock)
    }

    /// Another processor, with its block and stacks. Nil: no memory.
    init?(index: Int, clock: Clock, memory: PhysicalMemory) {
        let stackSize: UInt64 = 64 << 10
        let kernelStackSize: UInt64 = 8 << 10
        let blockSize: UInt64 = 4096
        guard let base = memory.allocateZeroed(blockSize + kernelStackSize + stackSize),
            base >> 32 == 0
        else { return nil }
        self.index = index
        block = pointer(base, to: nestling_processor.self)
        gap = GapMeter(clock)
        let kernelStackTop = base + blockSize + kernelStackSize
        let selector = UInt64(SELECTOR_FIRST_TASK) + UInt64(index) * 16
        block.pointee.`self` = base
        block.pointee.index = UInt32(index)
        block.pointee.stack_top = kernelStackTop + stackSize
        block.pointee.entry = processor_user_address()
        block.pointee.task_selector = selector
        block.pointee.kernel_stack_top = kernelStackTop
        block.pointee.task.stack0 = kernelStackTop
        block.pointee.task.io_bitmap_offset = 104
        block.pointee.task.io_bitmap_end = 0xff
        describeTask(at: base + 64, selector: selector)
    }

    /// How many interrupts came. To be read before looking for work, and given to `sleep`.
    var interrupts: UInt64 { shared_load64(counter(PROCESSOR_INTERRUPTS)) }

    /// How many ticks came.
    var ticks: UInt64 { shared_load64(counter(PROCESSOR_TICKS)) }

    /// Looks at the clock. Between two looks no more than some microseconds of work should lie.
    @inline(__always)
    @discardableResult
    func observe() -> UInt64 {
        let now = read_tsc()
        gap.observe(now, slept: false)
        return now
    }

    /// Halts until an interrupt comes: at the latest the next tick.
    func sleep(seen: UInt64) {
        observe()
        call_halt(seen)
        gap.observe(read_tsc(), slept: true)
    }

    private func counter(_ offset: Int32) -> UnsafePointer<UInt64> {
        UnsafePointer(pointer(block.pointee.`self` + UInt64(offset), to: UInt64.self))
    }

    private func describeTask(at base: UInt64, selector: UInt64) {
        let entry = pointer(descriptor_table_address() + selector, to: UInt64.self)
        let limit: UInt64 = 104 + 513 - 1
        let availableTask: UInt64 = 0x89 << 40
        let low: UInt64 = (base & 0xff_ffff) << 16
        let high: UInt64 = (base >> 24 & 0xff) << 56
        entry[0] = limit | low | availableTask | high
        entry[1] = base >> 32
    }
}

/// The longest time in which one vCPU did not see its clock: what a pause, a move or a busy host
/// looks like from inside.
///
/// After a sleep one tick is taken off, since so much was asked for.
struct GapMeter {
    private let tick: UInt64
    private var last: UInt64
    /// Since boot or `reset`, in cycles.
    private let longest = Counter()
    /// Since `takeRecent`, in cycles.
    private let recent = Counter()
    /// How often the clock went backwards.
    let reversals = Counter()

    init(_ clock: Clock) {
        tick = clock.kilohertz
        last = clock.now
    }

    /// Starts anew, on the vCPU that it belongs to.
    mutating func start() { last = read_tsc() }

    @inline(__always)
    mutating func observe(_ now: UInt64, slept: Bool) {
        guard now >= last else {
            reversals.add(1)
            last = now
            return
        }
        let passed = now - last
        last = now
        let gap = slept ? (passed > tick ? passed - tick : 0) : passed
        if gap > recent.value { note(gap) }
    }

    private func note(_ gap: UInt64) {
        recent.set(gap)
        if gap > longest.value { longest.set(gap) }
    }

    /// In cycles. From any vCPU.
    var longestCycles: UInt64 { longest.value }

    /// In cycles; the next call starts from zero. From any vCPU.
    func takeRecent() -> UInt64 { recent.take() }

    /// From any vCPU.
    func reset() {
        recent.set(0)
        longest.set(0)
    }
}

/// A number that one vCPU changes and others read.
struct Counter {
    private let word = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)

    init() { word.pointee = 0 }

    @inline(__always)
    var value: UInt64 { shared_load64(word) }

    @inline(__always)
    func add(_ amount: UInt64) { shared_store64(word, word.pointee &+ amount) }

    func set(_ value: UInt64) { shared_store64(word, value) }

    /// Reads and zeroes in one step.
    func take() -> UInt64 { shared_exchange64(word, 0) }

    /// Adds from any vCPU; the value before.
    @discardableResult
    func addShared(_ amount: UInt64) -> UInt64 { shared_add64(word, amount) }
}
