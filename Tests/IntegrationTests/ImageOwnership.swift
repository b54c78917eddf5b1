import Harness
import LinuxSystem
import Testing

extension MartletProcess {
    /// The kinds of locks on a file that descriptors of this process have, `READ` or `WRITE` (Linux
    /// `Documentation/filesystems/proc.rst`, `/proc/<pid>/fdinfo`).
    func locks(on path: String) throws -> [String] {
        let folder = "/proc/\(process.identifier)"
        return try (0..<256).flatMap { (number) throws -> [String] in
            guard (try? SymbolicLink.target(of: "\(folder)/fd/\(number)")) == path else {
                return []
            }
            let bytes = try OwnedDescriptor(opening: "\(folder)/fdinfo/\(number)")
                .readAll(maximum: 4096)
            // lock:   1: OFDLCK ADVISORY  WRITE -1 fe:00:16221603 0 EOF
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
                .filter { $0.hasPrefix("lock:") }
                .compactMap { line in
                    line.split(separator: " ").first { $0 == "READ" || $0 == "WRITE" }
                }
                .map(String.init)
        }
    }
}

extension Flight {
    /// The image of the guest's disk.
    var image: String { lab.path("disk") }

    /// Expects that the VMM which has the guest, and nobody else, can use the image of its disk.
    func expectImageIsHeld(sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try vmm.locks(on: image) == ["WRITE"], sourceLocation: sourceLocation)
        try expectImageIsRefused(sourceLocation: sourceLocation)
    }

    /// Expects that another VMM cannot use the image of the guest's disk, to write or to read.
    func expectImageIsRefused(sourceLocation: SourceLocation = #_sourceLocation) throws {
        for options in ["path=\(image)", "path=\(image),readonly=on"] {
            expectFailure(
                try lab.martlet(
                    "run", "--kernel", try #require(Prerequisites.guest), "--disk", options),
                naming: "_disk0: \(image) is in use by another VMM", sourceLocation: sourceLocation)
        }
    }
}
