import Harness

/// Moves of a QEMU whose guest never runs: its RAM is a pair of memories, both touched, the first
/// full of random contents, so that its memory moves as fast as QEMU can.
struct StandingQEMU {
    private let memory: MemoryPair
    private let mebibytes: Int

    /// A QEMU with the memories of a pair.
    init(_ memory: MemoryPair) {
        self.memory = memory
        mebibytes = Int(memory.byteCount >> 20)
    }

    /// Moves it once with multifd.
    ///
    /// - Parameter certificates: for TLS; nil for plain TCP.
    func bytesPerSecond(
        over connections: Int, certificates: TLSFolder? = nil, in lab: borrowing Lab
    ) throws -> Double {
        let source = try QEMUProcess(
            "qemu-source",
            memory: .file(path: try memory.path(of: memory.source), mebibytes: mebibytes),
            certificates: certificates, options: ["-S"], in: lab)
        let destination = try QEMUProcess(
            "qemu-destination",
            memory: .file(path: try memory.path(of: memory.destination), mebibytes: mebibytes),
            certificates: certificates, options: ["-S", "-incoming", "defer"], in: lab)
        let way = QEMUProcess.Way(connections: connections, certificates: certificates)
        let move = try source.move(to: destination, way, in: lab)
        try source.end()
        try destination.end()
        return move.bytesPerSecond
    }
}
