import ContentCoding
import LinuxSystem
import MigrationProtocol
import Synchronization

/// How the contents of one migration are sent: what its options ask for, what the destination
/// agreed to, and what is learnt on the way. Shared by all that send.
final class ContentPlan: Sendable {
    /// Whether contents carry checksums.
    let hasChecksums: Bool

    /// How many bytes of content a batch may have; nil where all contents are sent as they are.
    let batchBytes: UInt64?

    private let clock: @Sendable () -> MonotonicInstant
    private let choice: Mutex<CompressionChoice?>

    /// The bytes of private buffers that all senders together take for a batch each.
    private static let bufferBytes = 32 << 20

    /// - Parameters:
    ///   - extensions: what was agreed on.
    ///   - clock: the time, for measuring what pays.
    init(
        _ options: MigrationOptions, extensions: Extensions,
        clock: @escaping @Sendable () -> MonotonicInstant
    ) {
        self.clock = clock
        hasChecksums = options.hasChecksums && extensions.contains(.checksums)
        let compresses = options.compression != .off && extensions.contains(.compression)
        let method = options.compression.method
        choice = Mutex(
            compresses
                ? CompressionChoice(always: method, senderCount: options.connections) : nil)
        let share = Self.bufferBytes / max(1, options.connections)
        batchBytes =
            compresses || hasChecksums ? UInt64(min(max(share, 256 << 10), 4 << 20)) : nil
    }

    /// The time, for what is measured.
    var now: MonotonicInstant { clock() }

    /// How the next batch goes, and whether every method is to be tried on a piece of it.
    func nextBatch() -> (method: CompressionMethod?, isSampled: Bool) {
        choice.withLock { ($0?.current, $0?.wantsSample() ?? false) }
    }

    /// Notes what compressing a piece of a batch brought.
    func sampled(
        _ method: CompressionMethod, contentBytes: Int, storedBytes: Int, nanoseconds: UInt64
    ) {
        choice.withLock {
            $0?.sampled(
                method, contentBytes: contentBytes, storedBytes: storedBytes,
                nanoseconds: nanoseconds)
        }
    }

    /// Notes that the destination has a batch.
    func answered(_ method: CompressionMethod?, contentBytes: UInt64) {
        let now = now
        choice.withLock { $0?.answered(method, contentBytes: contentBytes, at: now) }
    }

    /// Between rounds nothing is sent, which says nothing about any way of sending.
    func roundEnded() {
        choice.withLock { $0?.interrupt() }
    }
}

extension MigrationOptions.Compression {
    /// The one method that is to be used; nil where there is none or it is to be found.
    var method: CompressionMethod? {
        switch self {
        case .lz4: .lz4
        case .zstd: .zstd
        case .off, .automatic: nil
        }
    }
}
