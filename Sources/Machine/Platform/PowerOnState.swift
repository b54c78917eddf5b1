import KVM
import LinuxSystem

/// The state of processors and chips before anything ran, to which a reset goes back.
struct PowerOnState: Sendable {
    /// The host's identity until it is booted anew.
    let hostBoot: String

    private let processors: [ProcessorState]
    private let chips: InterruptChipState

    /// Takes the state of a new machine.
    init(
        kernel: KernelMachine, processors: [Processor], lists: RegisterLists
    ) throws(SystemError) {
        var states: [ProcessorState] = []
        for processor in processors {
            states.append(try processor.save(lists, savesPointers: false))
        }
        self.processors = states
        chips = try InterruptChipState(of: kernel)
        hostBoot = try Self.readHostBoot()
    }

    /// 36 characters and the end of the line.
    private static func readHostBoot() throws(SystemError) -> String {
        let file = try OwnedDescriptor(opening: "/proc/sys/kernel/random/boot_id")
        return String(decoding: try file.read(maximum: 64), as: UTF8.self)
    }

    /// Brings a machine back into this state, except for its clock and counters.
    func restore(
        kernel: KernelMachine, processors: [Processor], lists: RegisterLists
    ) throws(PlatformError) {
        try chips.restore(to: kernel)
        for (processor, state) in zip(processors, self.processors) {
            // The paravirtual features first: they are off then, and touch no memory any more.
            _ = try processor.loadLate(state, lists)
            _ = try processor.load(state, lists, takesPointers: false)
        }
    }
}
