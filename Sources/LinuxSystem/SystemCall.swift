/// Turns the result of a shim, which is a value or `-errno`, into a value or an error.
@inline(__always)
func check<Value: SignedInteger & FixedWidthInteger>(
    _ result: Value, _ operation: @autoclosure () -> String, _ object: @autoclosure () -> String
) throws(SystemError) -> Value {
    guard result < 0 else { return result }
    throw SystemError(operation(), object(), Errno(rawValue: Int32(truncatingIfNeeded: -result)))
}

/// Calls the C library until the call is not interrupted, and turns its -1 into `-errno`.
@inline(__always)
func retrying<Value: SignedInteger & FixedWidthInteger>(_ call: () -> Value) -> Value {
    while true {
        let result = call()
        guard result == -1 else { return result }
        let reason = Errno.last
        if reason != .interrupted { return -Value(reason.rawValue) }
    }
}

/// Calls a shim, which returns `-errno`, until the call is not interrupted.
@inline(__always)
func retryingShim<Value: SignedInteger & FixedWidthInteger>(_ call: () -> Value) -> Value {
    while true {
        let result = call()
        if result != -Value(Errno.interrupted.rawValue) { return result }
    }
}
