import Harness
import LinuxSystem

/// A QEMU that is to be measured beside Martlet. It is killed when the last reference goes.
///
/// Its machine is `q35`, without any device that is not asked for. It runs on KVM, like Martlet;
/// a processor without `arch-capabilities` is one that it can have on every kind of KVM.
final class QEMUProcess {
    /// Serial port of its guest.
    let serial: String

    private let process: ChildProcess
    private let monitor: MonitorClient

    /// What its guest has as RAM.
    enum Memory {
        /// An existing file of so many MiB.
        case file(path: String, mebibytes: Int)
        /// Memory of its own of so many MiB.
        case own(mebibytes: Int)
    }

    /// How it moves.
    struct Way {
        /// Connections of multifd; 0 for the ordinary way, which has one connection.
        var connections = 0
        /// Certificates; nil for plain TCP.
        var certificates: TLSFolder?
        /// The blackout that is aimed at, in milliseconds.
        var downtimeMilliseconds: UInt64 = 20
    }

    /// How a move went, as `query-migrate` tells.
    struct Move {
        /// The higher of QEMU's own figure, which leaves out its preparations, and of bytes over
        /// all of the time.
        var bytesPerSecond: Double
        /// The time in which the guest stood still, in whole milliseconds.
        var downtimeMilliseconds: Double
    }

    /// Starts it and waits until its monitor answers.
    ///
    /// - Parameters:
    ///   - name: names its files in the lab's folder.
    ///   - memory: shared memory, all of which it takes before it goes on.
    ///   - certificates: for moves over TLS.
    ///   - options: further ones.
    init(
        _ name: String, memory: Memory, certificates: TLSFolder? = nil, options: [String],
        in lab: borrowing Lab
    ) throws {
        guard let program = lab.qemu else {
            throw BenchmarkError.unexpected("There is no QEMU")
        }
        let path = "\(lab.folder)/\(name)"
        serial = "\(path).serial"
        let (backend, mebibytes) =
            switch memory {
            case .file(let file, let size): ("memory-backend-file,mem-path=\(file)", size)
            case .own(let size): ("memory-backend-memfd", size)
            }
        var words = [
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-accel", "kvm", "-cpu", "host,-arch-capabilities", "-smp", "1",
            "-M", "q35,memory-backend=ram", "-m", "\(mebibytes)",
            "-object", "\(backend),id=ram,size=\(mebibytes)M,share=on,prealloc=on",
            "-qmp", "unix:\(path).monitor,server=on,wait=off", "-serial", "file:\(serial)",
        ]
        if let certificates {
            for end in ["client", "server"] {
                words += [
                    "-object",
                    "tls-creds-x509,id=\(end),endpoint=\(end),verify-peer=on,"
                        + "dir=\(certificates.path)",
                ]
            }
        }
        let log = SharedDescriptor(
            try OwnedDescriptor(opening: "\(path).log", [.write, .create, .append]))
        let process = try ChildProcess(path: program, arguments: words + options, errors: log)
        var connected: MonitorClient?
        do {
            try lab.wait(for: "QEMU's monitor", seconds: 60) {
                guard process.exitStatus == nil else {
                    throw BenchmarkError.unexpected("QEMU has ended")
                }
                connected = try? MonitorClient(path: "\(path).monitor")
                return connected != nil
            }
        } catch {
            let bytes = (try? OwnedDescriptor(opening: "\(path).log").readAll(maximum: 4096)) ?? []
            throw BenchmarkError.unexpected("\(error): \(String(decoding: bytes, as: UTF8.self))")
        }
        guard let client = connected else { throw BenchmarkError.late("QEMU's monitor") }
        self.process = process
        monitor = client
    }

    /// Moves its guest to another one, which was started with `-incoming defer`.
    func move(to destination: QEMUProcess, _ way: Way, in lab: borrowing Lab) throws -> Move {
        try prepare(way, end: "client")
        try destination.prepare(way, end: "server")
        let uri = MonitorValue.text("tcp:\(try lab.freeLoopbackAddress())")
        try destination.execute("migrate-incoming", ["uri": uri])
        try execute("migrate", ["uri": uri])
        var found = MonitorMigration()
        try lab.wait(for: "QEMU's move", seconds: 120) {
            MonotonicInstant.after(milliseconds: 20).sleep()
            found = try monitor.execute("query-migrate", [:], MonitorMigration.self)
            return ["completed", "failed", "cancelled"].contains(found.status ?? "")
        }
        guard found.status == "completed", let memory = found.ram,
            let total = found.totalMilliseconds, let downtime = found.downtimeMilliseconds
        else {
            throw BenchmarkError.unexpected("QEMU's move failed: \(found.reason ?? "no reason")")
        }
        return Move(
            bytesPerSecond: max(
                memory.mbps * 1e6 / 8, Double(memory.transferred) * 1000 / Double(max(1, total))),
            downtimeMilliseconds: Double(downtime))
    }

    /// Ends it at once and waits until its memory is free.
    func end() throws {
        process.signal(9)
        _ = try process.wait(deadline: .after(milliseconds: 30_000))
    }

    private func prepare(_ way: Way, end: String) throws {
        // With a way back the source waits until the destination has loaded the state, so that its
        // downtime has that too. Without, it ends when the last byte is written.
        let capabilities = [("multifd", way.connections > 0), ("return-path", true)].map {
            MonitorValue.object(["capability": .text($0), "state": .flag($1)])
        }
        try execute("migrate-set-capabilities", ["capabilities": .list(capabilities)])
        var parameters: [String: MonitorValue] = [
            // No limit.
            "max-bandwidth": .number(0),
            "downtime-limit": .number(way.downtimeMilliseconds),
        ]
        if way.connections > 0 {
            parameters["multifd-channels"] = .number(UInt64(way.connections))
        }
        if way.certificates != nil { parameters["tls-creds"] = .text(end) }
        try execute("migrate-set-parameters", parameters)
    }

    private func execute(_ command: String, _ arguments: [String: MonitorValue]) throws {
        _ = try monitor.execute(command, arguments, NoAnswer.self)
    }
}
