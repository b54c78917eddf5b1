internal import LinuxSystem
internal import Synchronization

/// What a disk counts of one direction.
final class TransferCounters: Sendable {
    private let bytes = Atomic<UInt64>(0)
    private let operations = Atomic<UInt64>(0)
    private let latencySum = Atomic<UInt64>(0)
    /// Starts at the largest signed value: the minimum of unsigned atomics compares as if signed.
    private let latencyMinimum = Atomic<UInt64>(UInt64(Int64.max))
    private let latencyMaximum = Atomic<UInt64>(0)

    /// Counts a transfer that has just ended.
    func add(bytes count: Int, since start: MonotonicInstant) {
        let latency = MonotonicInstant.now.nanoseconds(since: start) / 1000
        bytes.wrappingAdd(UInt64(count), ordering: .relaxed)
        operations.wrappingAdd(1, ordering: .relaxed)
        latencySum.wrappingAdd(latency, ordering: .relaxed)
        latencyMinimum.min(latency, ordering: .relaxed)
        latencyMaximum.max(latency, ordering: .relaxed)
    }

    /// The counters, with names that begin with `direction`; latencies in microseconds.
    func values(_ direction: String) -> [DeviceCounter] {
        let count = operations.load(ordering: .relaxed)
        let minimum = latencyMinimum.load(ordering: .relaxed)
        return [
            DeviceCounter("\(direction)_bytes", bytes.load(ordering: .relaxed)),
            DeviceCounter("\(direction)_ops", count),
            DeviceCounter("\(direction)_latency_min", count > 0 ? minimum : 0),
            DeviceCounter("\(direction)_latency_max", latencyMaximum.load(ordering: .relaxed)),
            DeviceCounter(
                "\(direction)_latency_avg",
                count > 0 ? latencySum.load(ordering: .relaxed) / count : 0),
        ]
    }
}
