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

/// The rate of pre-copy over TLS in relation to plain pre-copy of the same guest, each protected
/// move between two plain ones.
struct ProtectedPreCopyBenchmark {
    private static let moves = 5

    func run(in lab: borrowing Lab) throws -> [Figure] {
        var guest = try TravellingGuest("pre-copy-tls", memory: "size=1G,prefault=on", in: lab)
        var ratios: [Double] = []
        var before = Double(try guest.move(.tcp, in: lab).bytesPerSecond)
        for _ in 0..<Self.moves {
            let rate = Double(try guest.move(.tls, in: lab).bytesPerSecond)
            let after = Double(try guest.move(.tcp, in: lab).bytesPerSecond)
            ratios.append(rate / ((before + after) / 2))
            lab.note(
                "pre-copy-tls: \(decimal(rate / 1e9)) GB/s, plain before "
                    + "\(decimal(before / 1e9)), after \(decimal(after / 1e9))")
            before = after
        }
        return [Figure("pre_copy_tls_to_plain", ratios, "ratio", .atLeast(0.5))]
    }
}
