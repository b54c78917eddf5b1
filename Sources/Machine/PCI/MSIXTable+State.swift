public import StateCoding
internal import Synchronization

/// The saved part of an `MSIXTable`: what the guest wrote to the table, and what is pending. The
/// enable and mask bits are saved with the configuration space.
public struct MSIXTableState: VersionedState {
    /// Names the kind of component.
    public static let name = "msix"
    /// The layout that is written.
    public static let version: UInt16 = 1

    let entries: [MSIXTable.Entry]
    let pending: [Bool]

    init(entries: [MSIXTable.Entry], pending: [Bool]) {
        self.entries = entries
        self.pending = pending
    }

    /// Writes each vector's message, mask and pending bit.
    public func encode(into writer: inout StateWriter) {
        writer.appendCount(entries.count)
        for (entry, pending) in zip(entries, pending) {
            writer.append(entry.address)
            writer.append(entry.data)
            writer.append(entry.isMasked)
            writer.append(pending)
        }
    }

    /// Reads each vector.
    public init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        let count = try reader.readCount(elementSize: 14)
        guard (1...MSIXTable.maximumCount).contains(count) else {
            throw reader.invalid("the number of vectors is \(count)")
        }
        var entries: [MSIXTable.Entry] = []
        var pending: [Bool] = []
        for _ in 0..<count {
            entries.append(
                MSIXTable.Entry(
                    address: try reader.readUInt64(), data: try reader.readUInt32(),
                    isMasked: try reader.readBool()))
            pending.append(try reader.readBool())
        }
        self.entries = entries
        self.pending = pending
    }
}

extension MSIXTable {
    /// What is saved of the table now.
    var savedState: MSIXTableState {
        state.withLock { MSIXTableState(entries: $0.entries, pending: $0.pending) }
    }
}
