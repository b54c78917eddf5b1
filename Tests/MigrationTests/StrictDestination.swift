import GuestMemory
import LinuxSystem
import MigrationProtocol
import Synchronization
import Transport

/// A destination that speaks the base protocol as Cloud Hypervisor's does, and notes what a source
/// does that this would not forgive: more than one request in flight, additional connections that
/// come early or say nothing, ranges that cross regions, descriptors without their slot.
///
/// It is written from the protocol's description and uses nothing of the engines.
final class StrictDestination: Sendable {
    /// What came, in its order.
    enum Event: Equatable {
        case request(connection: Int, command: UInt8, head: [UInt8])
        case memory(connection: Int, ranges: [ClosedRange<UInt64>])
        case memoryFile(slot: [UInt8], descriptors: Int)
        case role(connection: Int, [UInt8])
        case ended(connection: Int, orderly: Bool)
    }

    private struct State {
        var events: [Event] = []
        var violations: [String] = []
        var configuration: [UInt8] = []
        var isConfigured = false
        var workers: [WorkerThread] = []
    }

    let url: MigrationURL
    private let layout: [RegionLayout]
    private let state = Mutex(State())
    private let listener: WorkerThread

    /// - Parameter layout: the guest's regions, none of which a range may leave.
    init(layout: [RegionLayout] = TwoEnds.layout) throws {
        let address = temporarySocket("strict")
        guard case .unix(let path) = address else { throw TransportError.notListening(address) }
        let socket = try StreamListener(path: path)
        self.layout = layout
        url = address
        let relay = Relay()
        listener = try WorkerThread(name: "strict") { stop in
            var count = 0
            while (try? socket.descriptor.wait(
                forAny: .readable, unless: stop, deadline: .distantFuture)) != nil,
                let connection = try? socket.accept(deadline: .now)
            {
                relay.destination?.start(connection, number: count)
                count += 1
            }
        }
        relay.destination = self
    }

    /// The thread that accepts is there before the destination.
    private final class Relay: Sendable {
        private struct Weak: Sendable {
            weak let destination: StrictDestination?
        }

        private let held = Mutex<Weak?>(nil)

        var destination: StrictDestination? {
            get { held.withLock { $0?.destination } }
            set { held.withLock { $0 = Weak(destination: newValue) } }
        }
    }

    var events: [Event] { state.withLock { $0.events } }
    var violations: [String] { state.withLock { $0.violations } }
    var configuration: [UInt8] { state.withLock { $0.configuration } }

    /// Waits for the ends of all connections, which come after the source is done.
    func finish() {
        for worker in state.withLock({ $0.workers }) { worker.join() }
    }

    private func start(_ connection: consuming StreamSocket, number: Int) {
        let held = Mutex<StreamSocket?>(nil)
        held.put(connection)
        let worker = try? WorkerThread(name: "strict-\(number)") { [self] _ in
            guard let socket = held.withLock({ $0.take() }) else { return }
            var orderly = true
            do {
                try serve(socket, number)
            } catch {
                orderly = false
            }
            note(.ended(connection: number, orderly: orderly))
        }
        state.withLock { if let worker { $0.workers.append(worker) } }
    }

    private func note(_ event: Event) {
        state.withLock { $0.events.append(event) }
    }

    private func complain(_ violation: String) {
        state.withLock { $0.violations.append(violation) }
    }

    /// Reads exactly so many bytes; nil at an end before the first of them.
    private func read(
        _ count: Int, from socket: borrowing StreamSocket
    ) throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var span = bytes.mutableSpan
        let received = try socket.receiveAll(
            into: &span, deadline: .after(milliseconds: 120_000))
        if received == 0 { return nil }
        if received < count { complain("an end in the middle of \(count) bytes") }
        return bytes
    }

    private func serve(_ socket: borrowing StreamSocket, _ number: Int) throws {
        if number > 0 {
            guard let role = try read(2, from: socket) else { return }
            note(.role(connection: number, role))
            if !state.withLock({ $0.isConfigured }) {
                complain("connection \(number) came before Config was answered")
            }
        }
        while let head = try read(16, from: socket) {
            let command = head[0]
            note(.request(connection: number, command: command, head: head))
            let length = Self.number(head[8...])
            switch command {
            case 2:
                let bytes = try read(Int(length), from: socket) ?? []
                state.withLock {
                    $0.configuration = bytes
                    $0.isConfigured = true
                }
            case 4:
                try takeMemory(Int(length), from: socket, number)
            case 7:
                try takeMemoryFile(from: socket)
            default:
                if length > 0 { _ = try read(Int(length), from: socket) }
            }
            // Nothing may come before the answer.
            if (try? socket.descriptor.wait(
                for: .readable, deadline: .after(milliseconds: 3))) != nil
            {
                complain("connection \(number) did not wait for the answer to \(command)")
            }
            let answer = ScriptedPeer.ok
            try socket.sendAll(answer.span, deadline: .after(milliseconds: 120_000))
        }
    }

    private func takeMemory(
        _ length: Int, from socket: borrowing StreamSocket, _ number: Int
    ) throws {
        if length % 16 != 0 { complain("a table of \(length) bytes") }
        let table = try read(length, from: socket) ?? []
        var ranges: [ClosedRange<UInt64>] = []
        var total = 0
        for entry in stride(from: 0, to: table.count, by: 16) {
            let start = Self.number(table[entry..<entry + 8])
            let count = Self.number(table[(entry + 8)..<entry + 16])
            guard count > 0 else { continue }
            ranges.append(start...(start + count - 1))
            total += Int(count)
            let isInside = layout.contains { region in
                start >= region.start.rawValue
                    && start + count <= region.start.rawValue + region.size
            }
            if !isInside { complain("\(count) bytes at \(start) are in no single region") }
            if start % 4096 != 0 || count % 4096 != 0 { complain("\(start) is no page") }
        }
        note(.memory(connection: number, ranges: ranges))
        while total > 0 {
            let part = min(total, 1 << 16)
            guard try read(part, from: socket) != nil else {
                return complain("a clean end in the middle of contents")
            }
            total -= part
        }
    }

    private func takeMemoryFile(from socket: borrowing StreamSocket) throws {
        var slot = [UInt8](repeating: 0, count: 4)
        var span = slot.mutableSpan
        var descriptors = ReceivedDescriptors()
        // One call, as Cloud Hypervisor's: slot and descriptor come together.
        let count = try socket.receive(
            into: &span, descriptors: &descriptors, deadline: .after(milliseconds: 120_000))
        if count != 4 || descriptors.count != 1 {
            complain("\(count) bytes came with \(descriptors.count) descriptors")
        }
        note(.memoryFile(slot: slot, descriptors: descriptors.count))
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
