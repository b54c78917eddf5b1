import Intrinsics

/// Where fault entry comes to: says what happened and stops the machine.
@_cdecl("nestling_fault")
func handleFault(_ frame: UnsafePointer<fault_frame>, _ processor: UInt64) {
    let state = frame.pointee
    var line = Line("error")
    line.add("what", "exception")
    line.add("vector", state.vector)
    line.add("code", hexadecimal: state.error_code)
    line.add("rip", hexadecimal: state.rip)
    line.add("rsp", hexadecimal: state.rsp)
    line.add("cr2", hexadecimal: state.cr2)
    line.add("rax", hexadecimal: state.rax)
    line.add("rdi", hexadecimal: state.rdi)
    line.add("cs", hexadecimal: state.cs)
    line.add("vcpu", UInt64(pointer(processor, to: nestling_processor.self).pointee.index))
    line.finish()
    stop(line)
}

/// The port that faults and failures report on; nil until it is set up.
nonisolated(unsafe) var emergencySerial: Serial?

/// How long a last line waits for another vCPU which may be dead.
private let emergencyLockAttempts = 10_000_000

/// Prints a last line and stops the machine.
func stop(_ line: consuming Line) -> Never {
    if let serial = emergencySerial {
        serial.write(line, lockAttempts: emergencyLockAttempts)
        serial.flush(lockAttempts: emergencyLockAttempts)
    }
    Power.off()
}

/// Stops the machine because something it needs is missing.
func stop(what: StaticString) -> Never {
    var line = Line("error")
    line.add("what", what)
    line.finish()
    stop(line)
}
