internal import GuestMemory
internal import LinuxSystem
internal import Logging
internal import Machine
internal import MigrationProtocol
internal import StateCoding

/// The way of a peer's bytes into a destination, without a socket: what a fuzzer drives. The same
/// bytes give the same result; any result but a return is a fault.
package enum WireFuzzing {
    /// Reads an input of a fuzzer: the first byte chooses what the rest is.
    package static func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let rest = Array(input.dropFirst())
        switch first % 5 {
        case 0: runDecoders(rest)
        case 1: runState(rest)
        case 2: runDestination(rest)
        case 3: runDestination(beginning(isLocal: false) + rest)
        default: runDestination(beginning(isLocal: true) + rest)
        }
    }

    // MARK: - Decoders

    /// Reads the bytes as every frame and payload. What was accepted must read back as itself, or
    /// the two ends would not mean the same.
    package static func runDecoders(_ input: [UInt8]) {
        let head = Array(input.prefix(Request.byteCount))
        let tail = Array(input.dropFirst(head.count))
        if let request = try? Request(decoding: head.span) {
            precondition(
                request.encoded == head, "a request does not survive being written")
            _ = try? StartOffer(decoding: request)
        }
        if let response = try? Response(decoding: head.span) {
            precondition(
                response.encoded == head, "a response does not survive being written")
            readAnswer(response, text: tail)
        }
        if let table = try? MemoryRangeTable(decoding: input) {
            precondition(table.bytes == input, "a range table does not survive being read")
            _ = try? RegionList((0..<table.count).map { table[$0] })
        }
        _ = try? ConnectionRole(decoding: Array(input.prefix(ConnectionRole.byteCount)).span)
        _ = try? SessionToken(decoding: head.span)
        _ = try? RunFlag.validate(Array(input.prefix(DescriptorPayload.byteCount)).span)
        readConfiguration(input)
    }

    private static func readAnswer(_ response: Response, text: [UInt8]) {
        _ = try? StartAnswer(decoding: response, to: StartOffer(extensions: .offered))
        guard let count = try? InquiryAnswer.textByteCount(of: response), count <= text.count
        else { return }
        _ = try? InquiryAnswer(decoding: response, text: Array(text.prefix(count)).span)
    }

    private static func readConfiguration(_ bytes: [UInt8]) {
        guard let payload = try? ConfigPayload(decoding: bytes) else { return }
        let again = (try? payload.encoded()).flatMap { try? ConfigPayload(decoding: $0) }
        precondition(again == payload, "a configuration does not survive being written")
        _ = try? GuestDescription(payload)
    }

    /// Reads the first half of the bytes as a state; the second half says which field comes next.
    package static func runState(_ input: [UInt8]) {
        var reader = StateReader(Array(input.prefix(input.count / 2)))
        for field in input.dropFirst(input.count / 2) {
            guard (try? read(field, from: &reader)) != nil else { return }
        }
        try? reader.finish()
    }

    private static func read(_ field: UInt8, from reader: inout StateReader) throws(StateError) {
        switch field % 9 {
        case 0: _ = try reader.readUInt8()
        case 1: _ = try reader.readUInt16()
        case 2: _ = try reader.readUInt64()
        case 3: _ = try reader.readBool()
        case 4: _ = try reader.readBytes()
        case 5: _ = try reader.readString()
        case 6: _ = try reader.readFixed(count: Int(field))
        case 7: _ = try reader.readCount(elementSize: Int(field / 9))
        default: reader = try reader.readComponent().reader
        }
    }

    // MARK: - Destination

    /// Lets a destination hear the bytes from its source, until they end.
    ///
    /// - Returns: whether the guest is the destination's.
    @discardableResult
    package static func runDestination(_ bytes: [UInt8]) -> Bool {
        let ledger = RunLedger()
        guard let control = try? IncomingControl() else { return false }
        let migration = IncomingMigration(
            factory: SmallFactory(ledger: ledger), network: ReplayedNetwork(),
            listener: ReplayedListener(ReplayedChannel(bytes)), control: control,
            logger: Logger(label: "fuzz", factory: { _ in SwiftLogNoOpLogHandler() }))
        let hasArrived: Bool
        switch migration.run() {
        case .running: hasArrived = true
        case .paused: hasArrived = true
        case .refused: hasArrived = false
        }
        precondition(hasArrived || ledger.everRan.isEmpty, "a guest ran and was refused")
        precondition(ledger.violations.isEmpty, "a rule was broken: \(ledger.violations)")
        return hasArrived
    }

    /// What a good source says until memory follows, so that a fuzzer need not find it out.
    ///
    /// - Parameter isLocal: whether memory is handed over.
    package static func beginning(isLocal: Bool) -> [UInt8] {
        var bytes = StartOffer(extensions: .offered).request.encoded
        bytes += Request(.session, length: UInt64(SessionToken.byteCount)).encoded
        bytes += [UInt8](repeating: 7, count: SessionToken.byteCount)
        if isLocal {
            let length = UInt64(DescriptorPayload.byteCount)
            bytes += Request(.memoryDescriptor, length: length).encoded
            bytes += DescriptorPayload.encode(slot: 0)
            bytes += Request(.runFlag, length: length).encoded + RunFlag.encoded
        }
        guard let configuration = try? configuration(isLocal: isLocal) else { return bytes }
        return bytes + Request(.config, length: UInt64(configuration.count)).encoded
            + configuration
    }

    private static func configuration(isLocal: Bool) throws -> [UInt8] {
        let page = trackedPageSize
        let low = RegionLayout(slot: 0, start: GuestAddress(0), size: page, fileOffset: 0)
        let high = RegionLayout(
            slot: 1, start: GuestAddress(16 * page), size: 4 * page, fileOffset: 0)
        let memory = try GuestRAM(
            layout: isLocal ? [low] : [low, high], backing: .sharedFile(hugePages: nil))
        let guest = SimulatedGuest(
            name: "fuzzed", memory: memory, workload: .init(stateBytes: 0), seed: 0,
            ledger: RunLedger())
        return try guest.describe().configPayload(backing: memory.backing).encoded()
    }
}

/// Builds simulated machines of little memory: what a description asks for is the host's to give,
/// not the destination's to judge.
private struct SmallFactory: GuestFactory {
    let ledger: RunLedger

    /// Bytes that a machine may have: 1 MiB.
    private static let largestMemory: UInt64 = 1 << 20

    func configure(
        _ description: GuestDescription, memory: consuming IncomingMemory
    ) throws(HardwareError) -> SimulatedGuest {
        var total: UInt64 = 0
        for region in description.regions {
            guard region.size <= Self.largestMemory, total <= Self.largestMemory else {
                throw HardwareError(.configure, "A fuzzed guest has less memory.")
            }
            total += region.size
        }
        return try SimulatedFactory(name: "fuzzed", ledger: ledger)
            .configure(description, memory: memory)
    }
}
