import GuestMemory
import LinuxSystem
import Logging
import Machine
import MigrationProtocol
import Synchronization
public import Transport

/// How fast bytes of guest memory moved.
public struct Throughput: Hashable, Sendable {
    /// Bytes that moved.
    public var bytes: UInt64
    /// Time that it took.
    public var nanoseconds: UInt64

    /// Bytes per second, in 10⁹.
    public var gigabytesPerSecond: Double { Double(bytes) / Double(max(1, nanoseconds)) }
}

/// Pre-copy measured against what the same path can carry at best. Both ends are threads of this
/// process, and all memory was touched before, so that only moving it is measured.
public struct ThroughputMeasurement: Sendable {
    /// Where to listen, for example `tcp:127.0.0.1:0`.
    public var url: MigrationURL
    /// Size of the guest, a multiple of 2 MiB.
    public var bytes: UInt64
    /// Connections for memory.
    public var connections: Int

    /// A measurement that was not made yet.
    public init(url: MigrationURL, bytes: UInt64, connections: Int = 1) {
        self.url = url
        self.bytes = bytes
        self.connections = connections
    }

    /// The bare path: for each connection one thread sends its share of a mapping, and one receives
    /// into another mapping.
    public func pump() throws -> Throughput {
        let source = try makeMemory()
        let target = try makeMemory()
        let network = HostNetwork(allowsPlainTCP: false)
        let listener = try network.listen(on: url)
        defer { listener.close() }
        var senders: [WorkerThread] = []
        var receivers: [WorkerThread] = []
        let start = MonotonicInstant.now
        for index in 0..<connections {
            senders.append(
                try WorkerThread(name: "pump-\(index)") { _ in
                    guard
                        let channel = try? network.connect(
                            to: listener.url, within: OperationLimits())
                    else { return }
                    try? channel.send([], share(index, of: source), within: OperationLimits())
                    channel.close(.orderly)
                })
            let channel = try listener.accept(within: OperationLimits())
            receivers.append(
                try WorkerThread(name: "drain-\(index)") { _ in
                    try? channel.receive(
                        into: share(index, of: target), within: OperationLimits())
                    channel.close(.orderly)
                })
        }
        for thread in receivers + senders { thread.join() }
        let nanoseconds = MonotonicInstant.now.nanoseconds(since: start)
        return Throughput(bytes: bytes, nanoseconds: nanoseconds)
    }

    /// What one of the pump's connections carries.
    private func share(_ index: Int, of memory: GuestRAM) -> [MemorySegment] {
        let length = Int(bytes) / connections
        return memory.regions.compactMap { region in
            region.segment.part(offset: index * length, length: length)
        }
    }

    /// A whole migration of an idle guest full of random contents, from the moment when the
    /// destination has its memory until it runs the guest.
    public func preCopy() throws -> Throughput {
        let ledger = RunLedger()
        let guest = SimulatedGuest(
            name: "source", memory: try makeMemory(),
            workload: SimulatedGuest.Workload(pagesPerSecond: 0), seed: 1, ledger: ledger)
        try guest.start()
        let network = HostNetwork(allowsPlainTCP: false)
        let listener = try network.listen(on: url)
        defer { listener.close() }
        let start = Mutex(MonotonicInstant.now)
        let destination = try WorkerThread(name: "destination") { [quiet] _ in
            let factory = SimulatedFactory(name: "destination", ledger: ledger) { arrived in
                Self.touch(arrived.memory)
                start.withLock { $0 = .now }
            }
            guard let control = try? IncomingControl() else { return }
            _ = IncomingMigration(
                factory: factory, network: network, listener: listener, control: control,
                logger: quiet
            ).run()
        }
        var options = MigrationOptions(destination: listener.url)
        options.connections = connections
        let migration = OutgoingMigration<SimulatedGuest, HostNetwork>(
            options: options, network: network,
            control: try OutgoingControl(), logger: quiet)
        let outcome = migration.run(.running(VirtualMachine(started: guest)))
        let nanoseconds = MonotonicInstant.now.nanoseconds(since: start.withLock { $0 })
        destination.join()
        switch consume outcome {
        case .moved(let summary):
            return Throughput(bytes: summary.memoryBytes, nanoseconds: nanoseconds)
        case .stayed(_, let error): throw error
        case .stranded(_, let error): throw error
        case .gone(let error): throw error
        }
    }

    private var quiet: Logger {
        Logger(label: "measurement", factory: { _ in SwiftLogNoOpLogHandler() })
    }

    /// Memory in which every page has random contents.
    private func makeMemory() throws(GuestMemoryError) -> GuestRAM {
        let layout = RegionLayout(slot: 0, start: GuestAddress(0), size: bytes, fileOffset: 0)
        let memory = try GuestRAM(layout: [layout], backing: .sharedFile(hugePages: nil))
        var random = SplitMix64(seed: bytes)
        var page = [UInt8](repeating: 0, count: Int(trackedPageSize))
        for index in page.indices { page[index] = UInt8(truncatingIfNeeded: random.next() | 1) }
        for start in stride(from: 0, to: bytes, by: Int(trackedPageSize)) {
            page[Int(random.next() % trackedPageSize)] ^= 0x55
            try memory.write(page, at: GuestAddress(start))
        }
        return memory
    }

    private static func touch(_ memory: GuestRAM) {
        for region in memory.regions {
            // Ranges of a guest's own regions are always inside its memory.
            try? memory.fillWithZeros(region.range)
        }
    }
}
