internal import Synchronization

/// What a network interface counts of one direction; bytes are those of frames, without headers
/// between driver and device.
final class FrameCounters: Sendable {
    private let bytes = Atomic<UInt64>(0)
    private let frames = Atomic<UInt64>(0)
    private let dropped = Atomic<UInt64>(0)

    /// Counts one frame.
    func add(bytes count: Int) {
        bytes.wrappingAdd(UInt64(max(count, 0)), ordering: .relaxed)
        frames.wrappingAdd(1, ordering: .relaxed)
    }

    /// Counts one frame that was lost here.
    func addDropped() {
        dropped.wrappingAdd(1, ordering: .relaxed)
    }

    /// The counters, with names that begin with `direction`.
    func values(_ direction: String) -> [DeviceCounter] {
        [
            DeviceCounter("\(direction)_bytes", bytes.load(ordering: .relaxed)),
            DeviceCounter("\(direction)_frames", frames.load(ordering: .relaxed)),
            DeviceCounter("\(direction)_dropped", dropped.load(ordering: .relaxed)),
        ]
    }
}
