import LinuxSystem

/// What an ownership journal says.
public struct JournalContents: Equatable, Sendable {
    /// The records, oldest first.
    public private(set) var records: [JournalRecord] = []
    /// Lines in the middle that are no records, counted from 1.
    public private(set) var damagedLines: [Int] = []
    /// Bytes at the end that are the beginning of a record whose writing was cut off; that decision
    /// was never acted on.
    public private(set) var tornBytes = 0

    /// The most that is read: some hundred thousand decisions.
    static let maximumBytes = 64 << 20

    /// Reads a journal, which a VMM may be writing to.
    public init(readingFrom path: String) throws(JournalError) {
        do throws(SystemError) {
            let file = try OwnedDescriptor(opening: path, .nonblocking)
            _ = try file.regularFileSize
            self.init(try file.readAll(maximum: Self.maximumBytes))
        } catch {
            throw .system(path: path, error)
        }
    }

    /// What bytes say.
    init(_ bytes: [UInt8]) {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // What follows the last end of a line; nothing, in a journal that was not cut off.
        let tail = lines.removeLast()
        tornBytes = tail.count
        for (index, line) in lines.enumerated() {
            if let record = JournalRecord(decoding: line) {
                records.append(record)
            } else if index == lines.count - 1, tail.isEmpty {
                // Blocks of a record can reach the disk in any order.
                tornBytes = line.count + 1
            } else {
                damagedLines.append(index + 1)
            }
        }
    }

    /// Lines for a shorter journal: the newest records, and of older migrations that leave a doubt
    /// the last word about the newest hundred.
    func recent(within byteCount: Int) -> [UInt8] {
        var kept: [[UInt8]] = []
        var bytes = 0
        var rest = records[...]
        while let record = rest.last {
            let line = record.encoded
            guard bytes + line.count <= byteCount else { break }
            bytes += line.count
            kept.append(line)
            rest.removeLast()
        }
        let newer = Set(records[rest.endIndex...].map(\.migration))
        let doubts = conclusions.filter { record in
            record.decision.leavesDoubt && !newer.contains(record.migration)
        }
        return (doubts.suffix(100).map(\.encoded) + kept.reversed()).flatMap { $0 }
    }

    /// The last word about each migration, in the order in which they began.
    public var conclusions: [JournalRecord] {
        var order: [String] = []
        var last: [String: JournalRecord] = [:]
        for record in records {
            if last.updateValue(record, forKey: record.migration) == nil {
                order.append(record.migration)
            }
        }
        return order.compactMap { last[$0] }
    }
}
