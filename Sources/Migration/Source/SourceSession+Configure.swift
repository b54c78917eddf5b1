import GuestMemory
import LinuxSystem
import Logging
import Machine
import MigrationProtocol
import Transport

/// Steps before any memory is sent.
extension SourceSession {
    /// Connects and agrees on extensions.
    func negotiate() throws(MigrationError) {
        try connect()
        if try exchange(.start) == .reconnectWithoutExtensions {
            channel?.connection.close(.orderly)
            try connect()
            try exchange(.start)
        }
        try requireAgreement()
        logger.info(
            "connected to \(options.destination)",
            metadata: ["extensions": "\(state.extensions.rawValue)"])
    }

    private func connect() throws(MigrationError) {
        do throws(TransportError) {
            channel = MessageChannel(
                try network.connect(to: options.destination, within: limits))
        } catch {
            throw MigrationError(error)
        }
    }

    /// Tells the destination what to build, and in a local migration hands the memory over.
    func configure(_ hardware: some GuestHardware) throws(MigrationError) {
        if hasOwnership { try exchange(.session, payload: state.token.encoded) }
        if options.mode == .local { try handOverMemory(of: hardware.memory) }
        let payload: [UInt8]
        do {
            payload = try hardware.describe()
                .configPayload(backing: hardware.memory.backing).encoded()
        } catch let error as HardwareError {
            throw .hardware(error)
        } catch {
            throw .invalidConfiguration("\(error)")
        }
        try exchange(
            .config(byteCount: payload.count), payload: payload,
            taking: hardware.memory.byteCount)
        let connections = options.mode == .local ? 0 : UInt64(options.connections)
        control.board.update {
            $0.bytesTotal = hardware.memory.byteCount
            $0.connections = connections
        }
        try startWorkers(memory: hardware.memory)
    }

    private func handOverMemory(of memory: GuestRAM) throws(MigrationError) {
        guard try mainChannel().connection.passesDescriptors else {
            throw .unsupported(
                "A local migration hands memory over by descriptor, which needs unix:<path>")
        }
        for region in memory.regions {
            guard let file = region.file else {
                throw .unsupported(
                    "A local migration needs memory that can be shared; start the guest with "
                        + "shared=on or migrate over tcp:")
            }
            try exchange(
                .memoryDescriptor,
                payload: DescriptorPayload.encode(slot: region.layout.slot),
                descriptor: file.descriptor)
        }
        guard hasOwnership else { return }
        let flag: SharedFlag
        do throws(SystemError) {
            flag = try SharedFlag(name: "run flag")
        } catch {
            throw .unsupported("The shared flag of a local migration failed: \(error)")
        }
        runFlag = flag
        try exchange(.runFlag, payload: RunFlag.encoded, descriptor: flag.file.descriptor)
    }
}
