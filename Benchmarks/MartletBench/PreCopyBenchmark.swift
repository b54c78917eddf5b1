import LinuxSystem

/// The rate of pre-copy in relation to a bare pump: wire bytes over time of an idle guest's first
/// pass, all of whose memory has random contents.
///
/// All memory was touched before: the source's by the guest, the destination's because
/// `prefault=on` travels with the guest. Each move is between two runs of the pump, and its rate is
/// compared with the mean of both.
struct PreCopyBenchmark {
    private static let moves = 5

    func run(in lab: borrowing Lab) throws -> [Figure] {
        var guest = try TravellingGuest("pre-copy", memory: "size=1G,prefault=on", in: lab)
        let pump = try BarePump(byteCount: 1 << 30)
        var ratios: [Double] = []
        var before = try pump.bytesPerSecond()
        for _ in 0..<Self.moves {
            let rate = Double(try guest.move(.tcp, in: lab).bytesPerSecond)
            let after = try pump.bytesPerSecond()
            ratios.append(rate / ((before + after) / 2))
            lab.note(
                "pre-copy: \(decimal(rate / 1e9)) GB/s, pump before \(decimal(before / 1e9)), "
                    + "after \(decimal(after / 1e9))")
            before = after
        }
        return [Figure("pre_copy_to_pump", ratios, "ratio", .atLeast(0.6))]
    }
}

/// The rate of pre-copy over TLS in relation to plain pre-copy of the same guest with as many
/// connections, each protected move between two plain ones.
struct ProtectedPreCopyBenchmark {
    private static let moves = 5

    func run(in lab: borrowing Lab) throws -> [Figure] {
        var guest = try TravellingGuest("pre-copy-tls", memory: "size=1G,prefault=on", in: lab)
        var figures: [Figure] = []
        for connections in [1, 4] as [UInt32] {
            figures.append(try ratio(of: &guest, over: connections, in: lab))
        }
        return figures
    }

    private func ratio(
        of guest: inout TravellingGuest, over connections: UInt32, in lab: borrowing Lab
    ) throws -> Figure {
        func rate(_ mode: TravellingGuest.Mode) throws -> Double {
            let move = try guest.move(mode, connections: connections, in: lab)
            return Double(move.bytesPerSecond)
        }
        var ratios: [Double] = []
        var before = try rate(.tcp)
        for _ in 0..<Self.moves {
            let protected = try rate(.tls)
            let after = try rate(.tcp)
            ratios.append(protected / ((before + after) / 2))
            lab.note(
                "pre-copy-tls, connections: \(connections), \(decimal(protected / 1e9)) GB/s, "
                    + "plain before \(decimal(before / 1e9)), after \(decimal(after / 1e9))")
            before = after
        }
        return Figure("pre_copy_tls_to_plain_\(connections)", ratios, "ratio", .atLeast(0.5))
    }
}
