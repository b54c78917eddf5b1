import Harness
import LinuxSystem

/// The rate of pre-copy in relation to a bare pump with as many threads, and to QEMU with multifd
/// and as many channels: the first pass over an idle guest of 4 GiB, all of whose memory has random
/// contents.
///
/// All memory was touched before: the source's by the guest, the destination's because
/// `prefault=on` travels with the guest. Each move is between two runs of the pump, and its rate is
/// compared with the mean of both; QEMU's move follows.
struct PreCopyBenchmark {
    private static let moves = 5

    func run(in lab: borrowing Lab) throws -> [Figure] {
        let memory = try MemoryPair(byteCount: 4 << 30)
        var guest = try TravellingGuest(
            "pre-copy", memory: "size=4G,prefault=on", work: TravellingGuest.quiet, in: lab)
        var figures: [Figure] = []
        for connections in [1, 4] {
            figures += try ratios(of: &guest, beside: memory, over: connections, in: lab)
        }
        return figures
    }

    private func ratios(
        of guest: inout TravellingGuest, beside memory: MemoryPair, over connections: Int,
        in lab: borrowing Lab
    ) throws -> [Figure] {
        let pump = BarePump(memory)
        var toPump: [Double] = []
        var toQEMU: [Double] = []
        for _ in 0..<lab.repetitions(Self.moves) {
            let before = try pump.bytesPerSecond(over: connections)
            let rate = try guest.move(.tcp, connections: UInt32(connections), in: lab)
                .bytesPerSecond
            let after = try pump.bytesPerSecond(over: connections)
            toPump.append(rate / ((before + after) / 2))
            lab.note(
                "pre-copy, connections: \(connections), \(decimal(rate / 1e9)) GB/s, pump before "
                    + "\(decimal(before / 1e9)), after \(decimal(after / 1e9))")
            guard lab.qemu != nil else { continue }
            let beside = try StandingQEMU(memory).bytesPerSecond(over: connections, in: lab)
            toQEMU.append(rate / beside)
            lab.note("pre-copy, QEMU: \(decimal(beside / 1e9)) GB/s")
        }
        return [Figure("pre_copy_to_pump_\(connections)", toPump, "ratio", .atLeast(0.85))]
            + besideQEMU("pre_copy_to_qemu_\(connections)", toQEMU)
    }
}

/// The rate of pre-copy over TLS in relation to plain pre-copy of the same guest, and to QEMU's
/// TLS, with as many connections. Each protected move is between two plain ones; QEMU's follows.
struct ProtectedPreCopyBenchmark {
    private static let moves = 3

    func run(in lab: borrowing Lab) throws -> [Figure] {
        let memory = try lab.qemu.map { _ in try MemoryPair(byteCount: 4 << 30) }
        let certificates = try CertificateAuthority().issue()
        var guest = try TravellingGuest(
            "pre-copy-tls", memory: "size=4G,prefault=on", work: TravellingGuest.quiet, in: lab)
        var figures: [Figure] = []
        for connections in [1, 4] {
            figures += try ratios(
                of: &guest, over: connections, beside: memory.map { StandingQEMU($0) },
                certificates, in: lab)
        }
        return figures
    }

    private func ratios(
        of guest: inout TravellingGuest, over connections: Int, beside qemu: StandingQEMU?,
        _ certificates: TLSFolder, in lab: borrowing Lab
    ) throws -> [Figure] {
        func rate(_ mode: TravellingGuest.Mode) throws -> Double {
            try guest.move(mode, connections: UInt32(connections), in: lab).bytesPerSecond
        }
        var toPlain: [Double] = []
        var toQEMU: [Double] = []
        var before = try rate(.tcp)
        for _ in 0..<lab.repetitions(Self.moves) {
            let protected = try rate(.tls)
            let beside = try qemu?.bytesPerSecond(
                over: connections, certificates: certificates, in: lab)
            let after = try rate(.tcp)
            toPlain.append(protected / ((before + after) / 2))
            lab.note(
                "pre-copy-tls, connections: \(connections), \(decimal(protected / 1e9)) GB/s, "
                    + "plain before \(decimal(before / 1e9)), after \(decimal(after / 1e9))")
            before = after
            guard let beside else { continue }
            toQEMU.append(protected / beside)
            lab.note("pre-copy-tls, QEMU: \(decimal(beside / 1e9)) GB/s")
        }
        return [
            Figure("pre_copy_tls_to_plain_\(connections)", toPlain, "ratio", .atLeast(0.5))
        ] + besideQEMU("pre_copy_tls_to_qemu_\(connections)", toQEMU)
    }
}

/// How much faster than QEMU something is; nothing where there is no QEMU.
private func besideQEMU(_ name: String, _ ratios: [Double]) -> [Figure] {
    ratios.isEmpty ? [] : [Figure(name, ratios, "ratio", .atLeast(1))]
}
