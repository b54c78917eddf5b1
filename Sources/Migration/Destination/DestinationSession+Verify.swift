import GuestMemory
import LinuxSystem
import Logging
import MigrationProtocol

/// The comparison of all guest memory with the source's.
extension DestinationSession {
    /// Compares as many digests as the source has announced, which come one by one.
    func verify(_ memory: GuestRAM, digestCount: Int) throws(MigrationError) {
        let digests = try DigestWorkers(memory, network)
        defer { digests.end() }
        guard digestCount == digests.chunks.count else {
            throw .invalidConfiguration(
                "memory is to be verified with \(digestCount) digests instead of "
                    + "\(digests.chunks.count)")
        }
        for index in digests.chunks.indices {
            let bytes = try channel.receivePayload(MemoryDigest.byteCount, within: limits)
            guard let digest = digests.digest(of: index, until: .distantFuture) else {
                throw .unsupported("Guest memory cannot be verified: its digests were not made")
            }
            guard digest == MemoryDigest.digest(in: bytes.span, at: 0) else {
                throw .differingMemory(digests.chunks[index])
            }
        }
        logger.info("guest memory is the same at both ends")
    }
}
