import Glibc
import GuestMemory
import LinuxSystem
import Machine
import Synchronization

/// Whether guests can run here.
// SAFETY: the path is a terminated string for the length of the call.
let kvmIsAvailable = unsafe access("/dev/kvm", R_OK | W_OK) == 0

/// Collects what a guest does to its machine.
final class GuestEvents: Sendable {
    private let happened: EventDescriptor
    private let events = Mutex<[GuestEvent]>([])

    init() throws {
        happened = try EventDescriptor(name: "guest event")
    }

    func append(_ event: GuestEvent) {
        events.withLock { $0.append(event) }
        happened.signal()
    }

    /// All events, once there is one.
    func wait() throws -> [GuestEvent] {
        try happened.wait(deadline: .after(milliseconds: 120_000))
        happened.drain()
        return events.withLock { events in
            defer { events = [] }
            return events
        }
    }

    var all: [GuestEvent] { events.withLock { $0 } }
}

/// A guest that runs machine code at 1 MiB in 32-bit protected mode.
struct TestGuest {
    let memory: GuestRAM
    let platform: Platform
    let events: GuestEvents
    let kernel: TestFile

    /// - Parameter memory: RAM that another guest has used, instead of RAM of its own.
    init(
        code: [UInt8], processorCount: Int = 1, memory: GuestRAM? = nil, loads: Bool = true,
        adjust: (inout PlatformConfiguration) -> Void = { _ in }
    ) throws {
        let ram =
            try memory
            ?? GuestRAM(
                layout: PhysicalLayout.regions(memorySize: 4 << 20),
                backing: .sharedFile(hugePages: nil))
        let events = try GuestEvents()
        self.memory = ram
        self.events = events
        var configuration = PlatformConfiguration(processorCount: processorCount)
        adjust(&configuration)
        platform = try Platform(configuration: configuration, memory: ram) { events.append($0) }
        kernel = try TestFile(elfKernel(contents: code))
        if loads { try platform.load(boot) }
    }

    var boot: BootConfiguration { BootConfiguration(kernel: kernel.path) }
}

/// Waits until a condition holds, looking often.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = MonotonicInstant.after(milliseconds: 120_000)
    while !deadline.hasPassed {
        if try condition() { return true }
        usleep(1000)
    }
    return false
}
