internal import NIOCore

/// NIO's idea of a channel, with memory where the network would be.
///
/// What the pipeline writes is collected in `outbound` until whoever drives the engine takes it.
/// Sendable because NIO asks for it; it is used only under the lock of its `TLSEngine`'s owner.
final class EngineChannel: NIOCore.Channel, ChannelCore, @unchecked Sendable {
    let allocator = ByteBufferAllocator()
    private let loop: EngineLoop
    private let closePromise: EventLoopPromise<Void>
    private var ownPipeline: ChannelPipeline?

    /// What is to be sent, in order.
    private var outbound: ByteBuffer?

    init() {
        loop = EngineLoop()
        closePromise = loop.makePromise()
    }

    /// Puts the handlers in and lets them begin.
    func begin(_ handlers: [any ChannelHandler]) throws {
        let pipeline = ChannelPipeline(channel: self)
        ownPipeline = pipeline
        // The last one first: it shall hear what the others say from the start.
        for handler in handlers.reversed() {
            try pipeline.syncOperations.addHandler(handler, position: .first)
        }
    }

    /// Takes the handlers out, which lets go of everything: they and the channel know each other.
    func end() {
        guard let pipeline = ownPipeline else { return }
        removeHandlers(pipeline: pipeline)
        ownPipeline = nil
        closePromise.succeed(())
    }

    /// Takes what is to be sent; nil when there is nothing.
    func takeOutbound() -> ByteBuffer? {
        outbound.take()
    }

    /// The handlers' operations, for the engine.
    var operations: ChannelPipeline.SynchronousOperations { pipeline.syncOperations }

    // MARK: NIO's channel

    var pipeline: ChannelPipeline { ownPipeline ?? ChannelPipeline(channel: self) }
    var eventLoop: any EventLoop { loop }
    var closeFuture: EventLoopFuture<Void> { closePromise.futureResult }
    var localAddress: NIOCore.SocketAddress? { nil }
    var remoteAddress: NIOCore.SocketAddress? { nil }
    var parent: (any NIOCore.Channel)? { nil }
    var isWritable: Bool { true }
    var isActive: Bool { true }
    var _channelCore: any ChannelCore { self }
    var syncOptions: (any NIOSynchronousChannelOptions)? { EngineOptions() }

    func setOption<Option: ChannelOption>(
        _ option: Option, value: Option.Value
    ) -> EventLoopFuture<Void> {
        loop.makeFailedFuture(ChannelError.operationUnsupported)
    }

    func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
        loop.makeFailedFuture(ChannelError.operationUnsupported)
    }

    // MARK: The channel's inner side

    func localAddress0() throws -> NIOCore.SocketAddress {
        throw ChannelError.operationUnsupported
    }

    func remoteAddress0() throws -> NIOCore.SocketAddress {
        throw ChannelError.operationUnsupported
    }

    func register0(promise: EventLoopPromise<Void>?) { promise?.succeed(()) }

    func registerAlreadyConfigured0(promise: EventLoopPromise<Void>?) { promise?.succeed(()) }

    func bind0(to: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    func connect0(to: NIOCore.SocketAddress, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        var bytes = unwrapData(data, as: ByteBuffer.self)
        if outbound == nil {
            outbound = bytes
        } else {
            outbound?.writeBuffer(&bytes)
        }
        promise?.succeed(())
    }

    func flush0() {}

    func read0() {}

    func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // The socket is closed by the engine's owner, who learns of the reason from the engine.
        promise?.succeed(())
    }

    func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
        promise?.succeed(())
    }

    func channelRead0(_ data: NIOAny) {}

    func errorCaught0(error: any Error) {}
}

/// The two options that NIOSSL asks a channel for.
private struct EngineOptions: NIOSynchronousChannelOptions {
    func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
        throw ChannelError.operationUnsupported
    }

    func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
        // The peer's end of stream does not end what this end sends, as with plain sockets.
        let answer: Bool? =
            switch option {
            case is ChannelOptions.Types.AllowRemoteHalfClosureOption: true
            case is ChannelOptions.Types.AutoReadOption: true
            default: nil
            }
        guard let value = answer as? Option.Value else {
            throw ChannelError.operationUnsupported
        }
        return value
    }
}
