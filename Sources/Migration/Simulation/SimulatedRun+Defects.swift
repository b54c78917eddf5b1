import GuestMemory
import LinuxSystem

/// Defects of the VMM itself, which tests use to see that the rules notice them.
extension SimulatedRun {
    /// Does wrong what a hardware step is told to do wrong.
    func commit(_ fault: SimulatedFault.Kind?) {
        switch fault {
        case .forgottenPages:
            var forgotten = PageSet(layouts: source.memory.layouts)
            source.memory.collectDirtyPages(into: &forgotten)
        case .leakedDescriptor:
            _ = try? Leak()
        case .endlessStep:
            _ = world.time.wait(until: .distantFuture) { .never }
        default:
            break
        }
    }

    /// A descriptor whose owner keeps itself alive.
    private final class Leak {
        private let descriptor: EventDescriptor
        private var owner: Leak?

        init() throws(SystemError) {
            descriptor = try EventDescriptor(name: "leaked")
            owner = self
        }
    }
}
