import KVM
import LinuxSystem
private import Synchronization

/// A virtual processor and the thread that runs it.
///
///     parked --resume--> running --requestPause--> parked --end--> ended
///
/// While it is parked nothing of the guest runs on it and no access is half done, so its state can
/// be read and set from any thread. One owner at a time calls `resume`, `requestPause` and
/// `waitUntilParked`.
final class Processor: Sendable {
    /// Its number, and the identifier of its local APIC.
    let identifier: UInt32

    let hardware: KVMVirtualProcessor

    private enum Command {
        case park
        case run
        case end
    }

    private struct Control {
        var command = Command.park
        /// Whether the thread is, or will be as soon as it wakes up, in the guest.
        var isRunning = false
        /// Whether the thread is to inject a non-maskable interrupt before it runs on or parks.
        var owesNMI = false
        /// How long the thread is to sleep before it runs on, in nanoseconds.
        var owesSleep: UInt64 = 0
    }

    /// A structure: a bare function would be wrapped once more each time that it is read through a
    /// generic type.
    private struct DirtyRingCare {
        var empty: @Sendable () -> Void
    }

    /// What it left the guest for.
    let exits = ExitCounters()

    private let ports: IOBus
    private let memory: IOBus
    private let report: @Sendable (GuestEvent) -> Void
    private let dirtyRing = Mutex<DirtyRingCare?>(nil)
    private let control = Mutex(Control())
    private let thread = Mutex<WorkerThread?>(nil)
    private let wakeUp: EventDescriptor
    private let parked: EventDescriptor
    /// Ends a sleep before its time.
    private let sleepEnd: EventDescriptor

    /// A parked processor, which has no thread before `launch`.
    ///
    /// - Parameter report: told, on the processor's thread, when the guest cannot go on.
    init(
        identifier: UInt32, hardware: consuming KVMVirtualProcessor, ports: IOBus, memory: IOBus,
        report: @escaping @Sendable (GuestEvent) -> Void
    ) throws(SystemError) {
        self.identifier = identifier
        self.hardware = hardware
        self.ports = ports
        self.memory = memory
        self.report = report
        wakeUp = try EventDescriptor(name: "start of processor \(identifier)")
        parked = try EventDescriptor(name: "stop of processor \(identifier)")
        sleepEnd = try EventDescriptor(name: "end of a sleep of processor \(identifier)")
    }

    /// Says who makes room in the ring of written pages, on the processor's thread.
    func whenDirtyRingIsFull(_ body: @escaping @Sendable () -> Void) {
        dirtyRing.withLock { $0 = DirtyRingCare(empty: body) }
    }

    /// Starts the thread. It keeps this object alive until `end`.
    func launch() throws(SystemError) {
        let thread = try WorkerThread(name: "vcpu\(identifier)", kind: .vcpu) { _ in
            self.obey()
        }
        self.thread.withLock { $0 = thread }
    }

    /// Lets the guest run.
    func resume() {
        control.withLock { control in
            guard control.command != .end else { return }
            control.command = .run
            control.isRunning = true
            // With the lock held, so that the request always agrees with the command.
            hardware.requestImmediateExit(false)
        }
        wakeUp.signal()
    }

    /// Asks the thread to leave the guest; `waitUntilParked` tells when it has. From any thread.
    func requestPause() {
        let isRunning = control.withLock { control in
            if control.command == .run { control.command = .park }
            if control.isRunning { hardware.requestImmediateExit(true) }
            return control.isRunning
        }
        if isRunning {
            sleepEnd.signal()
            thread.withLock { $0 }?.kick()
        }
    }

    /// Lets the thread leave the guest and sleep, if it runs. From any thread.
    func requestSleep(nanoseconds: UInt64) {
        let isRunning = control.withLock { control in
            guard control.isRunning, control.command == .run else { return false }
            control.owesSleep = nanoseconds
            hardware.requestImmediateExit(true)
            return true
        }
        if isRunning { thread.withLock { $0 }?.kick() }
    }

    /// Ends a sleep, and one that has not begun.
    func endSleep() {
        control.withLock { $0.owesSleep = 0 }
        sleepEnd.signal()
    }

    /// Waits until the thread has left the guest, as `requestPause` asked it to.
    func waitUntilParked() throws(SystemError) {
        while control.withLock({ $0.isRunning }) {
            try parked.wait()
            parked.drain()
        }
    }

    /// Sends a non-maskable interrupt, from any thread.
    func injectNMI() throws(SystemError) {
        let isRunning = try control.withLock { (control) throws(SystemError) in
            // The kernel makes other threads wait until the processor leaves the guest.
            if control.isRunning {
                control.owesNMI = true
                hardware.requestImmediateExit(true)
            } else {
                try hardware.injectNMI()
            }
            return control.isRunning
        }
        if isRunning { thread.withLock { $0 }?.kick() }
    }

    /// Ends the thread, for good.
    func end() {
        requestPause()
        control.withLock { $0.command = .end }
        wakeUp.signal()
        let thread = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }

    /// What the thread does.
    private func obey() {
        while true {
            // Waiting for an event fails only where its descriptor is wrong, which it is not.
            try? wakeUp.wait()
            wakeUp.drain()
            switch control.withLock({ $0.command }) {
            case .end:
                return
            case .park, .run:
                // Also entered for a pause that came first: access completed, parking told.
                if control.withLock({ $0.isRunning }) { runGuest() }
            }
        }
    }

    /// Runs the guest until it is to park. A request to park shows as an interrupted run, before
    /// which the kernel has completed the access that was reported last: nothing is half done.
    private func runGuest() {
        var event: GuestEvent?
        while event == nil {
            do throws(SystemError) {
                let exit = try hardware.run()
                exits.count(exit)
                if exit == .interrupted {
                    if try !goesOnAfterInterruption() { break }
                } else {
                    event = handle(exit)
                }
            } catch {
                event = .crashed(description: error.description)
            }
        }
        if let event { report(event) }
        control.withLock { control in
            if control.command == .run { control.command = .park }
            if control.owesNMI { try? hardware.injectNMI() }
            control.owesNMI = false
            control.isRunning = false
        }
        parked.signal()
    }

    /// Whether the run was interrupted for something else than parking, which is done then.
    private func goesOnAfterInterruption() throws(SystemError) -> Bool {
        let sleep: UInt64? = try control.withLock { (control) throws(SystemError) in
            guard control.command == .run else { return nil }
            hardware.requestImmediateExit(false)
            if control.owesNMI {
                control.owesNMI = false
                try hardware.injectNMI()
            }
            defer { control.owesSleep = 0 }
            // With the lock held: who ends the sleep does that after having changed the command.
            if control.owesSleep > 0 { sleepEnd.drain() }
            return control.owesSleep
        }
        guard let sleep else { return false }
        if sleep > 0 {
            let began = MonotonicInstant.now
            // It ends with its time, or because somebody wants the processor.
            try? sleepEnd.wait(deadline: began.advanced(byNanoseconds: sleep))
            exits.countSleep(nanoseconds: MonotonicInstant.now.nanoseconds(since: began))
        }
        return true
    }

    /// Does what the guest wants from the outside.
    ///
    /// - Returns: an event when the guest cannot go on.
    private func handle(_ exit: KVMVirtualProcessor.Exit) -> GuestEvent? {
        switch exit {
        case .portRead(let port, let size, let count):
            for index in 0..<count {
                let value = ports.read(at: UInt64(port), width: size)
                hardware.setPortValue(UInt32(truncatingIfNeeded: value), at: index)
            }
        case .portWrite(let port, let size, let count):
            for index in 0..<count {
                let value = UInt64(hardware.portValue(at: index))
                ports.write(at: UInt64(port), width: size, value: value)
            }
        case .memoryRead(let address, let size):
            hardware.setMemoryValue(memory.readBytes(at: address, count: size))
        case .memoryWrite(let address, let size, let value):
            memory.writeBytes(at: address, count: size, value: value)
        case .interrupted, .interruptWindow, .endOfInterrupt:
            break
        case .dirtyRingFull:
            dirtyRing.withLock { $0 }?.empty()
        case .systemEvent(let kind):
            return systemEvent(kind)
        case .halted, .shutDown, .entryFailed, .internalError, .other:
            return .crashed(description: describe(exit))
        }
        return nil
    }

    /// The numbers are KVM_SYSTEM_EVENT_* of Linux's `kvm.h`.
    private func systemEvent(_ kind: UInt32) -> GuestEvent {
        switch kind {
        case 1: .shutdown
        case 2: .reset
        default: .crashed(description: "Processor \(identifier) reported system event \(kind)")
        }
    }

    private func describe(_ exit: KVMVirtualProcessor.Exit) -> String {
        var place = ""
        if let bytes = try? hardware.state(.generalRegisters),
            let registers = GeneralRegisters(bytes: bytes)
        {
            place = " at instruction \(hexadecimal(registers[.rip]))"
        }
        let reason =
            switch exit {
            case .halted: "halted for ever"
            case .shutDown: "had a triple fault"
            case .entryFailed(let reason): "was refused by the hardware (\(hexadecimal(reason)))"
            case .internalError(1, _): "met an instruction that KVM cannot emulate"
            case .internalError(let suberror, _): "stopped with KVM's internal error \(suberror)"
            case .other(let reason): "stopped for a reason unknown to this program (\(reason))"
            default: "stopped"
            }
        return "Processor \(identifier) \(reason)\(place)"
    }
}

extension IOBus {
    /// Reads where KVM may ask for any number of bytes, as it does at the edge of a page; devices
    /// know powers of two only.
    fileprivate func readBytes(at address: UInt64, count: Int) -> UInt64 {
        if count.nonzeroBitCount == 1 { return read(at: address, width: count) }
        return (0..<count).reduce(0) { value, index in
            value | read(at: address &+ UInt64(index), width: 1) << UInt64(8 * index)
        }
    }

    /// Writes where KVM may give any number of bytes.
    fileprivate func writeBytes(at address: UInt64, count: Int, value: UInt64) {
        if count.nonzeroBitCount == 1 {
            write(at: address, width: count, value: value)
            return
        }
        for index in 0..<count {
            write(at: address &+ UInt64(index), width: 1, value: value >> UInt64(8 * index))
        }
    }
}
