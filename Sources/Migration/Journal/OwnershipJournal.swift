import LinuxSystem
import MigrationProtocol
import Synchronization

/// A file in which a VMM writes down who owns its guests, so that this can be known when its
/// process is gone: see `JournalDecision`.
///
/// A record is one line, added at the end and flushed to the disk before the decision is acted on.
/// A line that could not be written whole is taken back; one that a crash has cut off is dropped
/// when the journal is opened again. One VMM at a time has a journal, by a lock. A journal that has
/// grown large is shortened when a migration begins (`JournalContents.recent`), into a new file
/// that takes its place.
public final class OwnershipJournal: Sendable {
    /// Where it is.
    public let path: String

    /// What it said about earlier migrations when it was opened.
    public let earlier: JournalContents

    private struct State: ~Copyable {
        var file: OwnedDescriptor
        var size: Int
    }

    private let state: Mutex<State>

    /// The size at which it is shortened, in bytes: some ten thousand records.
    static let ampleBytes = 1 << 20

    /// The size at which no migration begins any more, in bytes, if it could not be shortened.
    static let maximumBytes = 4 << 20

    /// Opens a journal, which is made with mode 0600 if it does not exist.
    ///
    /// - Throws: when it cannot be written, is damaged before its end, or another VMM has it.
    public init(path: String) throws(JournalError) {
        let file = try Self.open(path)
        let contents = try Self.recover(file, path)
        self.path = path
        earlier = contents.whole
        state = Mutex(State(file: file, size: contents.size))
    }

    private static func open(_ path: String) throws(JournalError) -> OwnedDescriptor {
        while true {
            let file: OwnedDescriptor
            do throws(SystemError) {
                file = try OwnedDescriptor(opening: path, [.write, .create, .append])
            } catch {
                throw .system(path: path, error)
            }
            do throws(SystemError) {
                _ = try file.regularFileSize
            } catch {
                throw .system(path: path, error)
            }
            do throws(SystemError) {
                try file.lock(.exclusive)
            } catch {
                throw .inUse(path: path, error)
            }
            do throws(SystemError) {
                // Its last owner may have put a shorter one in its place a moment ago.
                let present = try OwnedDescriptor(opening: path).identity
                if present == (try file.identity) { return file }
            } catch {
                throw .system(path: path, error)
            }
        }
    }

    /// Takes away what a crash has cut off.
    private static func recover(
        _ file: borrowing OwnedDescriptor, _ path: String
    ) throws(JournalError) -> (whole: JournalContents, size: Int) {
        let contents: JournalContents
        let size: Int
        do throws(SystemError) {
            let bytes = try file.readAll(maximum: JournalContents.maximumBytes)
            contents = JournalContents(bytes)
            size = bytes.count - contents.tornBytes
            if contents.damagedLines.isEmpty, contents.tornBytes > 0 {
                try file.truncate(to: size)
            }
            try file.synchronizeData()
            try synchronizeFolder(of: path)
        } catch {
            throw .system(path: path, error)
        }
        if let line = contents.damagedLines.first { throw .damaged(path: path, line: line) }
        return (contents, size)
    }

    /// Writes a decision down; when this returns it is on the disk.
    public func append(_ record: JournalRecord) throws(JournalError) {
        let path = path
        // Its result as a value: closures of locks infer no typed throws.
        let failure = state.withLock { state -> JournalError? in
            do throws(JournalError) {
                if record.decision.isFirst { try Self.shorten(&state, path) }
                try Self.append(record.encoded, to: &state, path)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    private static func append(
        _ bytes: [UInt8], to state: inout State, _ path: String
    ) throws(JournalError) {
        do throws(SystemError) {
            try state.file.writeAll(bytes)
            try state.file.synchronizeData()
            state.size += bytes.count
        } catch {
            // Whatever of it is there is no decision. If not even this works it is torn, and
            // found to be so when the journal is opened again.
            try? state.file.truncate(to: state.size)
            throw .system(path: path, error)
        }
    }

    // MARK: - Its size

    /// Puts a journal with what still matters in the place of one that has grown large.
    private static func shorten(_ state: inout State, _ path: String) throws(JournalError) {
        guard state.size > ampleBytes else { return }
        do {
            let contents = try JournalContents(readingFrom: path)
            let bytes = contents.recent(within: ampleBytes / 2)
            let file = try OwnedDescriptor(
                opening: "\(path).new", [.write, .create, .truncate, .append])
            try file.lock(.exclusive)
            try file.writeAll(bytes)
            try file.synchronizeData()
            try OwnedDescriptor.rename("\(path).new", to: path)
            state = State(file: file, size: bytes.count)
            try synchronizeFolder(of: path)
        } catch {
            // There is room left for the migration that begins, and for some more.
            guard state.size < maximumBytes else {
                throw .tooLarge(path: path, bytes: state.size)
            }
        }
    }

    /// A file that was made now must be found after a crash as well.
    private static func synchronizeFolder(of path: String) throws(SystemError) {
        var folder = "."
        if let slash = path.lastIndex(of: "/") {
            folder = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        let descriptor = try OwnedDescriptor(opening: folder)
        do throws(SystemError) {
            try descriptor.synchronizeData()
        } catch {
            // Some file systems have nothing to flush there.
            guard error.errno == .invalidArgument else { throw error }
        }
    }
}
