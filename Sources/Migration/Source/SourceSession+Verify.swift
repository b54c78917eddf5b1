import GuestMemory
import LinuxSystem
import MigrationProtocol
import Transport

/// The comparison of all guest memory, while the guest stands still.
extension SourceSession {
    /// Refuses what was asked for and the destination does not know, while the guest runs.
    func requireAgreement() throws(MigrationError) {
        if options.compression.method != nil, !state.extensions.contains(.compression) {
            throw .unsupported(
                "The destination does not take compressed memory; use compression=off or auto")
        }
        guard !state.extensions.contains(.checksums) else { return }
        if options.hasChecksums {
            throw .unsupported("The destination does not know checksums; use checksums=off")
        }
        if options.verifiesMemory {
            throw .unsupported("The destination cannot verify memory; use verify=off")
        }
    }

    /// Lets the destination compare its memory with this one.
    ///
    /// Both ends compute at the same time: digests are sent one by one as they are known, and the
    /// destination answers when it has compared the last one.
    func verifyMemory(_ memory: GuestRAM) throws(MigrationError) {
        guard options.mode == .preCopy, options.verifiesMemory, !isGuestDone else { return }
        let digests = try DigestWorkers(memory, network)
        defer { digests.end() }
        guard try begin(.verify(digestCount: digests.chunks.count), payload: []) else { return }
        var bytes: [UInt8] = []
        for index in digests.chunks.indices {
            guard let digest = digests.digest(of: index, until: stepDeadline ?? .distantFuture)
            else {
                try checkLimits()
                throw .unsupported("Guest memory cannot be verified: its digests were not made")
            }
            try checkLimits()
            bytes.removeAll(keepingCapacity: true)
            MemoryDigest.append(digest, to: &bytes)
            let connection = try mainChannel().connection
            do throws(TransportError) {
                try connection.send(bytes, within: limits)
            } catch {
                // What the destination has said is the better error, and it has said no.
                try earlyAnswer(insteadOf: MigrationError(error))
                return
            }
        }
        try awaitAnswer(within: limits)
    }
}
