import LinuxSystem
import MigrationProtocol
import Transport

/// Requests and answers on one connection: frames on top of bytes.
///
/// It keeps the buffers of headers, so that a message in the memory loops allocates nothing.
final class MessageChannel<Connection: Channel> {
    /// The bytes below.
    let connection: Connection

    private var header: [UInt8] = []
    private var head: [UInt8] = []

    /// A header that was read before this channel took over.
    private var firstRequest: Request?

    /// - Parameter firstRequest: what was read from the connection to find out what it is for.
    init(_ connection: Connection, firstRequest: Request? = nil) {
        self.connection = connection
        self.firstRequest = firstRequest
    }

    /// Sends a request with its payload and, for Memory, the contents after that.
    func send(
        _ request: Request, payload: [UInt8] = [], contents: [MemorySegment] = [],
        within limits: OperationLimits
    ) throws(MigrationError) {
        head.removeAll(keepingCapacity: true)
        request.append(to: &head)
        head += payload
        try transport { () throws(TransportError) in
            try connection.send(head, contents, within: limits)
        }
    }

    /// Sends a request, then four bytes with a descriptor.
    func send(
        _ request: Request, payload: [UInt8], descriptor: borrowing OwnedDescriptor,
        within limits: OperationLimits
    ) throws(MigrationError) {
        do throws(TransportError) {
            try connection.send(request.encoded, within: limits)
            try connection.send(payload, with: descriptor, within: limits)
        } catch {
            throw MigrationError(error)
        }
    }

    /// Sends an answer.
    func send(_ answer: Answer, within limits: OperationLimits) throws(MigrationError) {
        try transport { () throws(TransportError) in
            try connection.send(answer.encoded, within: limits)
        }
    }

    /// Waits for the header of an answer.
    func receiveResponse(within limits: OperationLimits) throws(MigrationError) -> Response {
        try transport { () throws(TransportError) in
            try connection.receive(Response.byteCount, into: &header, within: limits)
        }
        let bytes = header
        do throws(FrameError) {
            return try Response(decoding: bytes.span)
        } catch {
            throw .invalidMessage(.frame(error))
        }
    }

    /// Waits for the header of a request.
    func receiveRequest(within limits: OperationLimits) throws(MigrationError) -> Request {
        if let request = firstRequest.take() { return request }
        try transport { () throws(TransportError) in
            try connection.receive(Request.byteCount, into: &header, within: limits)
        }
        let bytes = header
        do throws(FrameError) {
            return try Request(decoding: bytes.span)
        } catch {
            throw .invalidMessage(.frame(error))
        }
    }

    /// Receives a payload, whose size was checked before.
    func receivePayload(
        _ count: Int, within limits: OperationLimits
    ) throws(MigrationError) -> [UInt8] {
        var payload: [UInt8] = []
        // In parts, so that memory is taken as bytes come and not because a header says so.
        var part: [UInt8] = []
        while payload.count < count {
            let next = min(Self.payloadPart, count - payload.count)
            try transport { () throws(TransportError) in
                try connection.receive(next, into: &part, within: limits)
            }
            payload += part
        }
        return payload
    }

    private static var payloadPart: Int { 1 << 20 }

    /// Receives four bytes and the descriptor that came with them.
    func receiveDescriptor(
        payload: inout [UInt8], within limits: OperationLimits
    ) throws(MigrationError) -> OwnedDescriptor {
        do throws(TransportError) {
            return try connection.receiveDescriptor(
                with: DescriptorPayload.byteCount, into: &payload, within: limits)
        } catch {
            throw MigrationError(error)
        }
    }

    private func transport(
        _ body: () throws(TransportError) -> Void
    ) throws(MigrationError) {
        do throws(TransportError) {
            try body()
        } catch {
            throw MigrationError(error)
        }
    }
}
