private import Synchronization

/// The port at which a guest's kernel tells that it has panicked (the device "QEMU0001").
///
/// Source: QEMU, `docs/specs/pvpanic.rst`; Linux, `include/uapi/misc/pvpanic.h`.
final class PanicPort: BusDevice {
    private static let panicked: UInt64 = 1 << 0
    private static let crashKernelLoaded: UInt64 = 1 << 1

    private let onPanic: @Sendable () -> Void
    private let crashKernelHandler = Mutex<Handler?>(nil)

    /// A structure: a bare function would be wrapped once more each time that it is read through a
    /// generic type, as often as the guest likes.
    private struct Handler {
        var call: @Sendable () -> Void
    }

    init(onPanic: @escaping @Sendable () -> Void) {
        self.onPanic = onPanic
    }

    func setCrashKernelHandler(_ handler: @escaping @Sendable () -> Void) {
        crashKernelHandler.withLock { $0 = Handler(call: handler) }
    }

    /// The events that can be told.
    func read(offset: UInt64, width: Int) -> UInt64 {
        Self.panicked | Self.crashKernelLoaded
    }

    func write(offset: UInt64, width: Int, value: UInt64) {
        if value & Self.panicked != 0 {
            onPanic()
        } else if value & Self.crashKernelLoaded != 0 {
            crashKernelHandler.withLock { $0 }?.call()
        }
    }
}
