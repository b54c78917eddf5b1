import ControlAPI

/// Drives requests, bodies and option strings as clients write them; see `RequestFuzzing`.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer gives `count` bytes, which live as long as the call.
    RequestFuzzing.run(unsafe Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// libFuzzer's own start, to which the package manager's leads: it renames `main` of every
/// executable after its target, and so does not take the one that libFuzzer has.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@_cdecl("APIFuzz_main")
func start(
    _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> CInt {
    var count = count
    var arguments = unsafe arguments
    // SAFETY: the program's own arguments, which live as long as the program.
    return unsafe runDriver(&count, &arguments) { unsafe testOneInput($0, $1) }
}
