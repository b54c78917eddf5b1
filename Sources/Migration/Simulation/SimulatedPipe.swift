import LinuxSystem
import Synchronization

/// One direction of a simulated connection: bytes under way, with the time of their arrival.
///
/// Only the thread that has the turn touches it; the lock is for the compiler.
final class SimulatedPipe: Sendable {
    /// How the direction ended.
    enum End: Sendable {
        /// What was sent arrives, then the end.
        case orderly
        /// At once, and what was under way is lost.
        case broken
    }

    private struct Parcel {
        var arrival: MonotonicInstant
        var bytes: [UInt8]
        var descriptor: SharedDescriptor?
    }

    private struct State {
        var parcels: [Parcel] = []
        var consumed = 0
        var byteCount = 0
        var lastArrival = MonotonicInstant(nanoseconds: 0)
        var end: End?
        /// Nothing arrives before this point.
        var stalledUntil = MonotonicInstant(nanoseconds: 0)
    }

    /// Bytes that the network and both kernels hold before a sender has to wait.
    static let capacity = 128 << 10

    private let state = Mutex(State())

    /// Ends the direction.
    func close(_ end: End) {
        state.withLock { state in
            guard state.end == nil || end == .broken else { return }
            state.end = end
            if end == .broken {
                state.parcels.removeAll()
                state.byteCount = 0
            }
        }
    }

    /// Lets nothing arrive before a point in time.
    func stall(until point: MonotonicInstant) {
        state.withLock { $0.stalledUntil = max($0.stalledUntil, point) }
    }

    /// How the direction ended, when it has.
    var end: End? { state.withLock { $0.end } }

    /// Whether a sender can go on.
    var canSend: SimulatedTime.Readiness {
        state.withLock { $0.end != nil || $0.byteCount < Self.capacity ? .now : .never }
    }

    /// Whether a receiver can go on: bytes have arrived, or none will.
    var canReceive: SimulatedTime.Readiness {
        state.withLock { state in
            if state.end == .broken { return .now }
            if let first = state.parcels.first {
                return .at(max(first.arrival, state.stalledUntil))
            }
            return state.end != nil ? .at(state.stalledUntil) : .never
        }
    }

    /// Puts bytes under way; they arrive at the time given or after those before them.
    func push(_ bytes: [UInt8], _ descriptor: SharedDescriptor?, arrival: MonotonicInstant) {
        state.withLock { state in
            guard state.end == nil, !bytes.isEmpty else { return }
            state.lastArrival = max(state.lastArrival, arrival)
            state.byteCount += bytes.count
            state.parcels.append(
                Parcel(arrival: state.lastArrival, bytes: bytes, descriptor: descriptor))
        }
    }

    /// Takes at most `limit` bytes of what has arrived, and the descriptor that came with them.
    func pull(_ limit: Int) -> (bytes: [UInt8], descriptor: SharedDescriptor?) {
        state.withLock { state in
            guard let first = state.parcels.first else { return ([], nil) }
            let start = state.consumed
            let bytes = [UInt8](first.bytes[start...].prefix(limit))
            let descriptor = start == 0 ? first.descriptor : nil
            state.byteCount -= bytes.count
            if start + bytes.count == first.bytes.count {
                state.parcels.removeFirst()
                state.consumed = 0
            } else {
                state.consumed += bytes.count
            }
            return (bytes, descriptor)
        }
    }
}
