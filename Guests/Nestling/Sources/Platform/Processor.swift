import Intrinsics

/// One vCPU, as its own code sees it.
final class Processor {
    let index: Int
    let block: UnsafeMutablePointer<nestling_processor>
    /// Cycles between two ticks.
    let tick: UInt64
    var gap: GapMeter

    /// The boot processor.
    ///
    /// - Parameter tick: cycles between two ticks.
    init(boot clock: Clock, tick: UInt64) {
        index = 0
        block = pointer(boot_processor_address(), to: nestling_processor.self)
        gap = GapMeter(clock, tick: tick)
        self.tick = tick
    }

    /// Another processor, with its block and stacks. Nil: no memory.
    init?(index: Int, clock: Clock, tick: UInt64, memory: PhysicalMemory) {
        let stackSize: UInt64 = 64 << 10
        let kernelStackSize: UInt64 = 8 << 10
        let blockSize: UInt64 = 4096
        guard let base = memory.allocateZeroed(blockSize + kernelStackSize + stackSize),
            base >> 32 == 0
        else { return nil }
        self.index = index
        block = pointer(base, to: nestling_processor.self)
        gap = GapMeter(clock, tick: tick)
        self.tick = tick
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
        describeTask(at: base + UInt64(PROCESSOR_TASK), selector: selector)
    }

    /// How many interrupts came. To be read before looking for work, and given to `sleep`.
    var interrupts: UInt64 { shared_load64(counter(PROCESSOR_INTERRUPTS)) }

    /// How many ticks came.
    var ticks: UInt64 { shared_load64(counter(PROCESSOR_TICKS)) }

    /// The count of messages that came to one device vector of the boot processor.
    static func messages(_ vector: UInt32) -> UnsafePointer<UInt64> {
        let offset = UInt64(PROCESSOR_MESSAGES) + UInt64(vector - UInt32(VECTOR_FIRST_DEVICE)) * 8
        return UnsafePointer(pointer(boot_processor_address() + offset, to: UInt64.self))
    }

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
        let limit = UInt64(MemoryLayout<task_state>.size) - 1
        let availableTask: UInt64 = 0x89 << 40
        let low: UInt64 = (base & 0xff_ffff) << 16
        let high: UInt64 = (base >> 24 & 0xff) << 56
        entry[0] = limit | low | availableTask | high
        entry[1] = base >> 32
    }
}
