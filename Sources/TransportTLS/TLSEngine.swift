import LinuxSystem
internal import NIOCore
internal import NIOSSL
internal import NIOTLS

/// TLS between bytes and bytes: what the application sends goes in at one side and comes out as
/// records for the network, and the other way round. It does no input or output of its own and is
/// used by one thread at a time.
///
/// Its four buffers, two each way, grow to the size of one part and then stay.
final class TLSEngine {
    /// How many bytes of the application are protected at a time.
    ///
    /// Four records of the longest kind (RFC 8446 section 5.1): few calls for many bytes, and
    /// little memory, since every connection has its own buffers.
    static let partSize = 64 << 10

    private let channel: EngineChannel
    private let handler: NIOSSLHandler
    private let sink: EngineSink

    /// A part of the application's bytes on their way out.
    private var outgoing = ByteBuffer()

    /// What came from the network, on its way in.
    private var incoming = ByteBuffer()

    /// Whether a message is partly sent, so that no other record may come between.
    var isSending = false

    /// Whether the stream was ended by this end, or cannot be ended any more.
    private var isClosed = false

    /// An engine that has begun its handshake.
    init(_ handler: NIOSSLHandler) throws {
        channel = EngineChannel()
        sink = EngineSink()
        self.handler = handler
        try channel.begin([handler, sink])
    }

    deinit {
        channel.end()
    }

    /// Whether the handshake is complete: nothing may be sent before.
    var isEstablished: Bool { sink.isEstablished }

    /// What ended the connection, when something has.
    var failure: (any Error)? { sink.failure }

    /// Whether the peer has ended its stream in the way that TLS knows (close_notify), after
    /// everything that was received.
    var peerHasEnded: Bool { sink.peerHasEnded }

    /// How many received bytes wait to be taken.
    var available: Int { sink.received?.readableBytes ?? 0 }

    /// The certificate that the peer has shown.
    var peerCertificate: NIOSSLCertificate? { handler.peerCertificate }

    /// The bytes that its buffers take, for tests of their bound.
    var bufferedCapacity: Int {
        outgoing.capacity + incoming.capacity + (sink.received?.capacity ?? 0)
    }

    /// Records for the network, made by other calls; nil when there are none.
    func takeRecords() -> ByteBuffer? { channel.takeOutbound() }

    /// Protects one part of what the application sends.
    ///
    /// - Parameter fill: appends at most `partSize` bytes.
    func protect(_ fill: (inout OutputRawSpan) -> Void) {
        outgoing.clear()
        outgoing.writeWithOutputRawSpan(minimumWritableBytes: Self.partSize, initializingWith: fill)
        guard outgoing.readableBytes > 0 else { return }
        channel.operations.writeAndFlush(NIOAny(outgoing), promise: nil)
    }

    /// Takes in what the network has.
    ///
    /// - Parameter fill: appends at most a part of it.
    func accept(
        _ fill: (inout OutputRawSpan) throws(SystemError) -> TransferProgress
    ) throws(SystemError) -> TransferProgress {
        incoming.clear()
        var progress = TransferProgress.wouldWait
        try incoming.writeWithOutputRawSpan(minimumWritableBytes: Self.partSize) {
            (output) throws(SystemError) in
            progress = try fill(&output)
        }
        if incoming.readableBytes > 0, failure == nil, !peerHasEnded {
            channel.operations.fireChannelRead(NIOAny(incoming))
            channel.operations.fireChannelReadComplete()
        }
        return progress
    }

    /// Hands out received bytes, which `take` counts.
    func takeReceived(_ take: (RawSpan) -> Int) {
        guard var received = sink.received.take() else { return }
        let count = take(received.readableBytesSpan)
        received.moveReaderIndex(forwardBy: count)
        // An empty buffer is let go of: the handler fills it again.
        if received.readableBytes > 0 { sink.received = received }
    }

    /// Ends the stream in the way that TLS knows, unless a message is partly sent: then the peer
    /// is to see that it was cut.
    func endStream() {
        guard isEstablished, !isSending, !isClosed, failure == nil else { return }
        isClosed = true
        channel.close(mode: .output, promise: nil)
    }
}

/// The end of the pipeline: keeps what the handlers say.
private final class EngineSink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var received: ByteBuffer?
    var isEstablished = false
    var peerHasEnded = false
    var failure: (any Error)?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if received == nil {
            received = bytes
        } else {
            received?.writeBuffer(&bytes)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The first one is the cause of the others.
        if failure == nil { failure = error }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is TLSUserEvent:
            if case .handshakeCompleted? = event as? TLSUserEvent { isEstablished = true }
        case ChannelEvent.inputClosed:
            peerHasEnded = true
        default: break
        }
    }
}
