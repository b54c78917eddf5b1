import LinuxSystem
import Migration
import MigrationProtocol
import Synchronization
import Testing
import Transport

/// The other end as bytes: what it sends is written down in the test, not produced by the engines.
struct ScriptedPeer {
    let channel: SocketChannel
    private var buffer: [UInt8] = []

    init(_ channel: SocketChannel) {
        self.channel = channel
    }

    /// Sends bytes as they are.
    func send(_ bytes: [UInt8]) throws {
        try channel.send(bytes, within: OperationLimits())
    }

    /// Receives exactly so many bytes.
    mutating func receive(_ count: Int) throws -> [UInt8] {
        try channel.receive(count, into: &buffer, within: OperationLimits())
        return buffer
    }

    /// Receives so many bytes and drops them.
    mutating func skip(_ count: Int) throws {
        var rest = count
        while rest > 0 {
            let part = min(rest, 1 << 16)
            try channel.receive(part, into: &buffer, within: OperationLimits())
            rest -= part
        }
    }

    /// The 16 bytes of Ok.
    static let ok: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]

    /// The 16 bytes of Error without a text.
    static let error: [UInt8] = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]

    /// A request's 16 bytes.
    static func request(_ code: UInt8, length: Int = 0) -> [UInt8] {
        [code, 0, 0, 0, 0, 0, 0, 0]
            + (0..<8).map {
                UInt8(truncatingIfNeeded: UInt64(bitPattern: Int64(length)) >> ($0 * 8))
            }
    }

    /// A table's entry.
    static func range(_ address: UInt64, _ length: UInt64) -> [UInt8] {
        [address, length].flatMap { value in
            (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
    }
}

/// A destination that speaks the base protocol and is none of ours: it answers Ok to everything,
/// as slowly as the test wants.
final class BaseDestination: Sendable {
    private struct Seen {
        var commands: [UInt8] = []
        var firstRequests: [[UInt8]] = []
        var memoryBytes: UInt64 = 0
    }

    let listener: SocketListener
    private let box: SeenBox
    private let worker: WorkerThread

    /// - Parameters:
    ///   - refusesExtensions: answers Error to a Start whose extension bytes are not zero.
    ///   - memoryDelayMilliseconds: how long each Memory takes.
    ///   - hangsUpAt: a command that is answered by closing the connection.
    ///   - takesManyConnections: serves all connections at once; all but the first are for memory.
    init(
        refusesExtensions: Bool = false, memoryDelayMilliseconds: Int = 0, hangsUpAt: UInt8? = nil,
        takesManyConnections: Bool = false
    ) throws {
        let listener = try HostNetwork(allowsPlainTCP: false).listen(on: temporarySocket("base"))
        self.listener = listener
        let box = SeenBox()
        self.box = box
        worker = try WorkerThread(name: "base-destination") { _ in
            var isFirst = true
            while let channel = try? listener.accept(within: OperationLimits()) {
                let hasRole = takesManyConnections && !isFirst
                isFirst = false
                let serve: @Sendable () -> Void = {
                    var peer = ScriptedPeer(channel)
                    if hasRole { _ = try? peer.receive(2) }
                    try? Self.serve(
                        peer, box, refusesExtensions, memoryDelayMilliseconds, hangsUpAt)
                    channel.close(.abrupt)
                }
                if takesManyConnections {
                    try? HostNetwork(allowsPlainTCP: false).spawn(
                        .receiver, "base-connection", serve)
                } else {
                    serve()
                }
            }
        }
    }

    private final class SeenBox: Sendable {
        let seen = Mutex(Seen())
        let reactions = Mutex<[@Sendable () -> Void]>([])
    }

    /// Does something whenever memory has arrived, before it is answered.
    func whenMemoryArrives(_ body: @escaping @Sendable () -> Void) {
        box.reactions.withLock { $0 = [body] }
    }

    var commands: [UInt8] { box.seen.withLock { $0.commands } }
    var firstRequests: [[UInt8]] { box.seen.withLock { $0.firstRequests } }
    var memoryBytes: UInt64 { box.seen.withLock { $0.memoryBytes } }

    deinit { listener.close() }

    private static func serve(
        _ peer: ScriptedPeer, _ box: SeenBox, _ refusesExtensions: Bool, _ delay: Int,
        _ hangsUpAt: UInt8?
    ) throws {
        var peer = peer
        while true {
            let request = try peer.receive(16)
            let code = request[0]
            let length = (0..<8).reduce(0) { $0 | Int(request[8 + $1]) << ($1 * 8) }
            box.seen.withLock { seen in
                seen.commands.append(code)
                if code == 1 { seen.firstRequests.append(request) }
            }
            if code == 1, refusesExtensions, request[4...7] != [0, 0, 0, 0] {
                try peer.send(ScriptedPeer.error)
                return
            }
            if code == hangsUpAt { return }
            let payload = length > 0 ? try peer.receive(length) : []
            if code == 4 {
                let content = stride(from: 0, to: length, by: 16).reduce(0) { sum, entry in
                    sum + (0..<8).reduce(0) { $0 | Int(payload[entry + 8 + $1]) << ($1 * 8) }
                }
                try peer.skip(content)
                box.seen.withLock { $0.memoryBytes += UInt64(content) }
                for reaction in box.reactions.withLock({ $0 }) { reaction() }
                if delay > 0 {
                    HostNetwork(allowsPlainTCP: false).sleep(
                        until: .after(milliseconds: delay), unless: nil)
                }
            }
            try peer.send(ScriptedPeer.ok)
        }
    }
}
