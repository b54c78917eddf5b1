import NIOCore
import NIOEmbedded
import NIOHTTP1

/// Writes one request and takes its response apart, by the HTTP library. It belongs to one thread.
final class ResponseParser {
    /// Most bytes of a response: an answer of `vm.info` with every device is far below it.
    static let maximumBody = 16 << 20

    private let channel = EmbeddedChannel()
    private var status: Int?
    private var body: [UInt8] = []
    /// The response, once it is complete.
    private(set) var response: (status: Int, body: [UInt8])?

    deinit {
        // The channel must be closed before it is released; what is left in it does not matter.
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// The bytes of the request.
    func request(_ endpoint: Endpoint, body: [UInt8]) throws -> [UInt8] {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTPRequestEncoder())
        try pipeline.addHandler(ByteToMessageHandler(HTTPResponseDecoder()))
        var headers = HTTPHeaders([("Host", "localhost"), ("Accept", "application/json")])
        if !body.isEmpty {
            headers.add(name: "Content-Type", value: "application/json")
        }
        if endpoint.method == "PUT" {
            headers.add(name: "Content-Length", value: "\(body.count)")
        }
        let head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: endpoint.method),
            uri: endpoint.path, headers: headers)
        try channel.writeOutbound(HTTPClientRequestPart.head(head))
        if !body.isEmpty {
            try channel.writeOutbound(
                HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))))
        }
        try channel.writeOutbound(HTTPClientRequestPart.end(nil))
        var bytes: [UInt8] = []
        while let piece = try channel.readOutbound(as: ByteBuffer.self) {
            bytes.append(contentsOf: piece.readableBytesView)
        }
        return bytes
    }

    /// Takes bytes of the response in; `response` is set once it is complete.
    /// - Returns: Why the bytes are no response, or nil.
    func feed(_ bytes: ArraySlice<UInt8>) -> String? {
        do {
            try channel.writeInbound(ByteBuffer(bytes: bytes))
            while let part = try channel.readInbound(as: HTTPClientResponsePart.self) {
                switch part {
                case .head(let head):
                    status = Int(head.status.code)
                case .body(let buffer):
                    guard body.count + buffer.readableBytes <= Self.maximumBody else {
                        return "the answer is larger than \(Self.maximumBody) bytes"
                    }
                    body.append(contentsOf: buffer.readableBytesView)
                case .end:
                    if let status { response = (status, body) }
                }
            }
            return nil
        } catch {
            return "\(error)"
        }
    }
}
