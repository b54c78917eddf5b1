import LinuxSystem
import MigrationProtocol
import Synchronization
import Transport

/// One end of a simulated connection.
///
/// Contents are copied piece by piece while virtual time passes, so that a running guest writes
/// into what is being sent, as it does in reality.
final class SimulatedChannel: Channel {
    let peer: String
    let passesDescriptors = true

    private let world: SimulatedWorld
    private let process: SimulatedProcess
    private let other: SimulatedProcess
    private let outgoing: SimulatedPipe
    private let incoming: SimulatedPipe

    private let line: SimulatedLine

    /// Bytes that are copied at one instant.
    private static let pieceBytes = 16 << 10

    private init(
        _ world: SimulatedWorld, _ process: SimulatedProcess, _ other: SimulatedProcess,
        outgoing: SimulatedPipe, incoming: SimulatedPipe
    ) {
        peer = "the \(other.place.rawValue)"
        self.world = world
        self.process = process
        self.other = other
        self.outgoing = outgoing
        self.incoming = incoming
        line = world.makeLine()
    }

    /// Both ends of a new connection.
    static func pair(
        _ world: SimulatedWorld, _ near: SimulatedProcess, _ far: SimulatedProcess
    ) -> (SimulatedChannel, SimulatedChannel) {
        let there = SimulatedPipe()
        let back = SimulatedPipe()
        world.add(there, back)
        return (
            SimulatedChannel(world, near, far, outgoing: there, incoming: back),
            SimulatedChannel(world, far, near, outgoing: back, incoming: there)
        )
    }

    var peerHasEnded: Bool? { other.isDead }

    func send(
        _ head: [UInt8], _ content: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        world.note(sent: head, by: process)
        let fault = world.takeStep(of: process)
        let isCut = fault == .truncatedMessage
        try send(isCut ? [UInt8](head.prefix(head.count / 2)) : head, nil, within: limits)
        if isCut {
            world.breakConnections()
            throw .truncated(peer: peer)
        }
        var isDamaged = fault == .damagedContents
        for segment in content {
            var offset = 0
            while let piece = segment.part(
                offset: offset, length: min(Self.pieceBytes, segment.count - offset)),
                piece.count > 0
            {
                var bytes = piece.copiedBytes()
                if isDamaged {
                    bytes[bytes.count / 2] ^= 0x10
                    isDamaged = false
                }
                try send(bytes, nil, within: limits)
                offset += piece.count
            }
        }
    }

    func send(
        _ bytes: [UInt8], with descriptor: borrowing OwnedDescriptor,
        within limits: OperationLimits
    ) throws(TransportError) {
        world.takeStep(of: process)
        let copy: SharedDescriptor
        do throws(SystemError) {
            copy = SharedDescriptor(try descriptor.duplicate())
        } catch {
            throw .system(peer: peer, error)
        }
        try send(bytes, copy, within: limits)
    }

    private func send(
        _ bytes: [UInt8], _ descriptor: SharedDescriptor?, within limits: OperationLimits
    ) throws(TransportError) {
        let outgoing = self.outgoing
        let incoming = self.incoming
        // Large messages wait for room, and then an early answer stops them.
        if case .never = outgoing.canSend, limits.expectsAnswers {
            try wait(within: limits) { outgoing.canSend }
        } else if case .never = outgoing.canSend {
            try wait(within: limits) {
                min(outgoing.canSend.point, incoming.canReceive.point) == .distantFuture
                    ? .never : .at(min(outgoing.canSend.point, incoming.canReceive.point))
            }
            if case .never = outgoing.canSend { throw .answeredEarly(peer: peer) }
        }
        try checkAlive(outgoing)
        outgoing.push(bytes, descriptor, arrival: world.arrival(over: line))
        world.time.note(UInt64(bytes.count))
        let duration = UInt64(bytes.count) * 1_000_000_000 / line.bytesPerSecond
        _ = world.time.wait(until: world.time.now.advanced(byNanoseconds: duration)) { .never }
        try checkAlive(outgoing)
    }

    func receive(
        _ count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) {
        let fault = world.takeStep(of: process)
        buffer.removeAll(keepingCapacity: true)
        while buffer.count < count {
            let part = try pull(count - buffer.count, isFirst: buffer.isEmpty, within: limits)
            buffer += part.bytes
        }
        if fault == .errorReply { world.spoil(&buffer) }
        world.note(received: buffer, by: process)
    }

    func receive(
        into segments: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        world.takeStep(of: process)
        for segment in segments {
            var offset = 0
            while offset < segment.count {
                let part = try pull(segment.count - offset, isFirst: false, within: limits)
                segment.part(offset: offset, length: part.bytes.count)?.copy(from: part.bytes)
                offset += part.bytes.count
            }
        }
    }

    func receiveDescriptor(
        with count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) -> OwnedDescriptor {
        world.takeStep(of: process)
        buffer.removeAll(keepingCapacity: true)
        var found: SharedDescriptor?
        while buffer.count < count {
            let part = try pull(count - buffer.count, isFirst: buffer.isEmpty, within: limits)
            buffer += part.bytes
            found = found ?? part.descriptor
        }
        guard let found else { throw .descriptorMissing(peer: peer) }
        do throws(SystemError) {
            return try found.descriptor.duplicate()
        } catch {
            throw .system(peer: peer, error)
        }
    }

    private func pull(
        _ limit: Int, isFirst: Bool, within limits: OperationLimits
    ) throws(TransportError) -> (bytes: [UInt8], descriptor: SharedDescriptor?) {
        let incoming = self.incoming
        try wait(within: limits) { incoming.canReceive }
        let part = incoming.pull(limit)
        guard part.bytes.isEmpty else { return part }
        if incoming.end == .orderly, isFirst { throw .closed(peer: peer) }
        throw .truncated(peer: peer)
    }

    func close(_ manner: ClosingManner) {
        guard !process.isDead else { return }
        outgoing.close(manner == .abrupt ? .broken : .orderly)
        incoming.close(.broken)
    }

    /// Waits until the condition holds, as long as the limits allow.
    private func wait(
        within limits: OperationLimits,
        for condition: @escaping @Sendable () -> SimulatedTime.Readiness
    ) throws(TransportError) {
        let start = world.time.now
        while true {
            try checkAlive(nil)
            // The end is asked for anew, because a cancellation brings it nearer.
            let end = limits.end(from: start)
            let wasRequested = limits.cancellation?.request != nil
            let process = self.process
            let isReady = world.time.wait(until: end) {
                if process.isDead { return .now }
                if !wasRequested, limits.cancellation?.request != nil { return .now }
                return condition()
            }
            try checkAlive(nil)
            let now = world.time.now
            if condition().point <= now { return }
            if !isReady, limits.end(from: start) <= now { throw limits.expiry(at: now, peer: peer) }
        }
    }

    private func checkAlive(_ pipe: SimulatedPipe?) throws(TransportError) {
        if process.isDead || world.time.hasEnded || pipe?.end != nil {
            throw .truncated(peer: peer)
        }
    }
}
