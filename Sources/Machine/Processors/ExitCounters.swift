import KVM
import Synchronization

/// How often a processor left the guest for this process, by why, and how long it was held back.
public struct ProcessorExits: Equatable, Sendable {
    /// The number of the processor.
    public var processor: UInt32
    /// The guest accessed an I/O port.
    public var ports: UInt64
    /// The guest accessed the memory of a device, which the kernel did not handle by itself.
    public var memory: UInt64
    /// This process, or a signal, wanted the processor back.
    public var interruptions: UInt64
    /// Anything else.
    public var others: UInt64
    /// How long it slept so that the guest writes less while it is moved, in nanoseconds.
    public var sleptNanoseconds: UInt64
}

/// Counts exits: written by the processor's thread, read by any other.
struct ExitCounters: ~Copyable, Sendable {
    private let ports = Atomic<UInt64>(0)
    private let memory = Atomic<UInt64>(0)
    private let interruptions = Atomic<UInt64>(0)
    private let others = Atomic<UInt64>(0)
    private let sleptNanoseconds = Atomic<UInt64>(0)

    /// Counts one exit.
    func count(_ exit: KVMVirtualProcessor.Exit) {
        switch exit {
        case .portRead, .portWrite: ports.wrappingAdd(1, ordering: .relaxed)
        case .memoryRead, .memoryWrite: memory.wrappingAdd(1, ordering: .relaxed)
        case .interrupted: interruptions.wrappingAdd(1, ordering: .relaxed)
        default: others.wrappingAdd(1, ordering: .relaxed)
        }
    }

    /// Counts a sleep.
    func countSleep(nanoseconds: UInt64) {
        sleptNanoseconds.wrappingAdd(nanoseconds, ordering: .relaxed)
    }

    /// What was counted.
    func values(of processor: UInt32) -> ProcessorExits {
        ProcessorExits(
            processor: processor, ports: ports.load(ordering: .relaxed),
            memory: memory.load(ordering: .relaxed),
            interruptions: interruptions.load(ordering: .relaxed),
            others: others.load(ordering: .relaxed),
            sleptNanoseconds: sleptNanoseconds.load(ordering: .relaxed))
    }
}
