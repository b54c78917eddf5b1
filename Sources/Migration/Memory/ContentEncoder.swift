import ContentCoding
import LinuxSystem
import MigrationProtocol

/// Decides for one sender how each batch goes, and makes its blocks. One thread uses it.
final class ContentEncoder {
    /// How a batch goes.
    struct Batch {
        /// How its contents are compressed.
        var method: CompressionMethod?
        /// Its blocks; nil where contents are sent as they are, by Memory. They stay as they are
        /// until the next batch is made.
        var blocks: BlockWriter?
    }

    /// What all senders share.
    let plan: ContentPlan

    private var writer: BlockWriter?

    init(_ plan: ContentPlan) {
        self.plan = plan
    }

    private func makeWriter() throws(ContentError) -> BlockWriter {
        if let writer { return writer }
        let made = try BlockWriter(plan)
        writer = made
        return made
    }

    /// Makes the blocks of a batch, if it is to have any.
    ///
    /// - Parameter guestStands: whether nobody writes to the contents.
    func encode(
        _ table: MemoryRangeTable, _ contents: [MemorySegment], guestStands: Bool
    ) throws(MigrationError) -> Batch {
        let (method, isSampled) = plan.nextBatch()
        let hasBlocks = method != nil || plan.hasChecksums
        guard hasBlocks || isSampled else { return Batch() }
        do throws(ContentError) {
            let writer = try makeWriter()
            if isSampled { writer.sample(contents) }
            guard hasBlocks else { return Batch() }
            try writer.write(table, contents, with: method, guestStands: guestStands)
            return Batch(method: method, blocks: writer)
        } catch {
            throw .unsupported("Contents of memory cannot be prepared for sending: \(error)")
        }
    }
}
