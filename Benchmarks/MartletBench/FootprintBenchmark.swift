import Harness
import LinuxSystem

/// What a VMM takes beside its guest's RAM, in MiB: resident pages of all mappings in
/// /proc/PID/smaps but the guest's memory file, whether they are shared with other processes or
/// not. Once for a guest that booted here, once for one that came from another process.
struct FootprintBenchmark {
    private static let moves = 3

    func run(in lab: borrowing Lab) throws -> [Figure] {
        var guest = try TravellingGuest("footprint", memory: "size=1G", in: lab)
        let booted = try residentMebibytes(of: guest.process)
        var received: [Double] = []
        for _ in 0..<lab.repetitions(Self.moves) {
            _ = try guest.move(.local, in: lab)
            received.append(try residentMebibytes(of: guest.process))
        }
        return [
            Figure("footprint_booted", [booted], "MiB", .atMost(20)),
            Figure("footprint_received", received, "MiB", .atMost(20)),
        ]
    }

    private func residentMebibytes(of process: MartletProcess) throws -> Double {
        let path = "/proc/\(process.process.identifier)/smaps"
        let bytes = try OwnedDescriptor(opening: path).readAll(maximum: 16 << 20)
        var kibibytes = 0
        var isGuestMemory = false
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let first = words.first else { continue }
            if !first.hasSuffix(":") {
                // The first line of a mapping: addresses, access, offset, device, inode, file.
                isGuestMemory = line.contains("memfd:guest-ram")
            } else if first == "Rss:", !isGuestMemory, words.count > 1 {
                kibibytes += Int(words[1]) ?? 0
            }
        }
        guard kibibytes > 0 else {
            throw BenchmarkError.unexpected("\(path) tells nothing about the VMM's memory")
        }
        return Double(kibibytes) / 1024
    }
}
