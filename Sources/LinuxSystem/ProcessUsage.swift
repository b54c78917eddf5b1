import Glibc

/// What this process has used and uses of its host.
public struct ProcessUsage: Equatable, Sendable {
    /// Time that its threads ran on processors, guests included, in nanoseconds.
    public var processorNanoseconds: UInt64
    /// Memory that is in RAM, the guest's included, in bytes.
    public var residentBytes: UInt64
    /// Addresses that are in use, in bytes.
    public var virtualBytes: UInt64

    /// The present use.
    public static var current: ProcessUsage {
        get throws(SystemError) {
            var usage = rusage()
            // SAFETY: the kernel fills the local.
            _ = try check(
                retrying { unsafe getrusage(Int32(RUSAGE_SELF.rawValue), &usage) },
                "query the use of", "the process")
            let pages = try memoryPages()
            return ProcessUsage(
                processorNanoseconds: nanoseconds(usage.ru_utime) &+ nanoseconds(usage.ru_stime),
                residentBytes: pages.resident &* pageBytes, virtualBytes: pages.size &* pageBytes)
        }
    }

    private static var pageBytes: UInt64 { UInt64(clamping: sysconf(Int32(_SC_PAGESIZE))) }

    /// Size and resident set, the first two numbers of `/proc/self/statm` (proc(5)), in pages.
    private static func memoryPages() throws(SystemError) -> (size: UInt64, resident: UInt64) {
        let path = "/proc/self/statm"
        let bytes = try OwnedDescriptor(opening: path).readAll(maximum: 4096)
        let numbers = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard numbers.count >= 2, let size = UInt64(numbers[0]), let resident = UInt64(numbers[1])
        else { throw SystemError("read", path, .invalidArgument) }
        return (size, resident)
    }

    private static func nanoseconds(_ time: timeval) -> UInt64 {
        UInt64(clamping: time.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: time.tv_usec) &* 1000
    }
}
