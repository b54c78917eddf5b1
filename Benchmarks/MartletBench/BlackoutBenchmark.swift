import ControlAPI

/// How long a guest stands still while it moves over loopback TCP: on the source's clock, from
/// before the vCPUs are stopped until the destination's Running is received. Once an idle guest
/// with 1 GiB of used memory, beside the same guest in QEMU, and once one that writes 200 MB/s.
struct BlackoutBenchmark {
    private static let moves = 20
    private static let besideQEMU = 10
    private static let movesWhileWriting = 10

    /// The blackout that is aimed at, at both, where the goal for the guest that writes is 25 ms.
    private static let downtimeMilliseconds: UInt64 = 20

    func run(in lab: borrowing Lab) throws -> [Figure] {
        try idle(in: lab) + writing(in: lab)
    }

    private func idle(in lab: borrowing Lab) throws -> [Figure] {
        var guest = try TravellingGuest("blackout-tcp", memory: "size=1G", in: lab)
        var qemu =
            lab.qemu == nil ? nil : try TravellingQEMU("blackout-qemu", mebibytes: 1024, in: lab)
        var blackouts = Blackouts()
        var besides: [Double] = []
        var ratios: [Double] = []
        for move in 0..<lab.repetitions(Self.moves) {
            let blackout = try blackouts.note(guest.move(.tcp, in: lab))
            guard move < Self.besideQEMU,
                let beside = try qemu?.move(
                    QEMUProcess.Way(downtimeMilliseconds: Self.downtimeMilliseconds), in: lab
                ).downtimeMilliseconds
            else {
                qemu = nil
                continue
            }
            besides.append(beside)
            // It counts whole milliseconds.
            ratios.append(blackout / max(beside, 1))
        }
        blackouts.tell("blackout-tcp", in: lab)
        var figures = [Figure("blackout_tcp", blackouts.totals, "ms", .atMost(5))]
        if !ratios.isEmpty {
            figures.append(Figure("blackout_tcp_to_qemu", ratios, "ratio", .atMost(0.5)))
            lab.note(
                "blackout-tcp: QEMU's median \(decimal(median(besides))) ms; longest "
                    + decimal(besides.max() ?? 0))
        }
        return figures
    }

    private func writing(in lab: borrowing Lab) throws -> [Figure] {
        var guest = try TravellingGuest(
            "blackout-writing", memory: "size=1G", work: "memory=size:256M,rate:50000", in: lab)
        var blackouts = Blackouts()
        var dirtyRates: [Double] = []
        for _ in 0..<lab.repetitions(Self.movesWhileWriting) {
            let move = try guest.move(.tcp, in: lab) { request in
                request.downtimeMilliseconds = Self.downtimeMilliseconds
            }
            _ = blackouts.note(move)
            dirtyRates.append(move.dirtiedBytesPerSecond)
        }
        blackouts.tell("blackout-tcp, writing guest", in: lab)
        lab.note(
            "blackout-tcp: during the first pass the guest wrote "
                + "\(decimal(median(dirtyRates) / 1e6)) MB/s")
        return [Figure("blackout_tcp_writing", blackouts.totals, "ms", .atMost(25))]
    }
}

/// How long an idle guest stands still while its memory is handed over to a new process, with
/// little memory and with much, all of it used.
struct LocalBlackoutBenchmark {
    private static let moves = 20

    func run(in lab: borrowing Lab) throws -> [Figure] {
        try [("256m", "256M"), ("8g", "8G")].map { name, size in
            var guest = try TravellingGuest(
                "blackout-local-\(name)", memory: "size=\(size)", in: lab)
            var blackouts = Blackouts()
            for _ in 0..<lab.repetitions(Self.moves) {
                _ = blackouts.note(try guest.move(.local, in: lab))
            }
            blackouts.tell("blackout-local \(size)", in: lab)
            return Figure("blackout_local_\(name)", blackouts.totals, "ms", .atMost(2))
        }
    }
}

/// Blackouts of several moves, with their parts.
private struct Blackouts {
    private(set) var totals: [Double] = []
    private var parts: [(name: String, samples: [Double])] = []

    /// Adds that of a move.
    mutating func note(_ move: TravellingGuest.Move) -> Double {
        for (index, part) in move.result.blackoutPhases.enumerated() {
            if index == parts.count { parts.append((part.phase, [])) }
            parts[index].samples.append(part.milliseconds)
        }
        totals.append(move.result.blackoutMilliseconds)
        return move.result.blackoutMilliseconds
    }

    /// Says what they are made of.
    func tell(_ name: String, in lab: borrowing Lab) {
        let medians = parts.map { "\($0.name) \(decimal(median($0.samples)))" }
        lab.note(
            "\(name): medians in ms: \(medians.joined(separator: ", ")); "
                + "longest \(decimal(totals.max() ?? 0))")
    }
}
