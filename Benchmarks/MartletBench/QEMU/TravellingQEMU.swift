import Harness

/// A Nestling that is moved from QEMU to QEMU over loopback, the same as `TravellingGuest`.
struct TravellingQEMU {
    private var process: QEMUProcess
    private let name: String
    private let mebibytes: Int
    private let options: [String]
    private var moves = 0

    /// Boots it with memory full of random contents and waits until it has no more to do.
    ///
    /// - Parameter work: further words of its command line.
    init(_ name: String, mebibytes: Int, work: String = "", in lab: borrowing Lab) throws {
        self.name = name
        self.mebibytes = mebibytes
        options = ["-kernel", lab.guest, "-append", "fill=random \(work)"]
        process = try QEMUProcess(
            "\(name)-0", memory: .own(mebibytes: mebibytes), options: options, in: lab)
        lab.note("\(name): the guest fills its memory")
        var log = try SerialLog(path: process.serial)
        try lab.wait(for: "the guest's memory to be filled", seconds: 120) {
            try log.newLines().contains { $0.kind == .filled }
        }
    }

    /// Moves it into a new process. The old one has ended when this returns.
    mutating func move(_ way: QEMUProcess.Way, in lab: borrowing Lab) throws -> QEMUProcess.Move {
        moves += 1
        let destination = try QEMUProcess(
            "\(name)-\(moves)", memory: .own(mebibytes: mebibytes),
            options: options + ["-incoming", "defer"], in: lab)
        let move = try process.move(to: destination, way, in: lab)
        try process.end()
        process = destination
        // It shall be there, not only be said to be.
        var log = try SerialLog(path: destination.serial)
        try lab.wait(for: "QEMU's guest to report", seconds: 60) {
            try log.newLines().contains { $0.kind == .report }
        }
        return move
    }
}
