import ControlAPI
import Harness
import LinuxSystem
import Testing

/// What a guest writes to a stream that leads out of its VMM.
private final class Reader {
    private let descriptor: OwnedDescriptor
    private var text = ""

    init(socket path: String) throws {
        descriptor = try StreamSocket.connect(path: path).descriptor.duplicate()
    }

    init(terminal path: String) throws {
        descriptor = try OwnedDescriptor(opening: path, [.write, .nonblocking])
    }

    /// Waits for the next whole report of the guest.
    func nextReport() throws -> GuestLine {
        let deadline = MonotonicInstant.after(milliseconds: 120_000)
        while true {
            if let end = text.firstIndex(of: "\n") {
                let line = String(text[..<end])
                text.removeSubrange(...end)
                if let report = GuestLine(line), report.kind == .report { return report }
                continue
            }
            try descriptor.wait(for: .readable, deadline: deadline)
            let bytes = try descriptor.read(maximum: 4096)
            guard !bytes.isEmpty else {
                throw SystemError("read", "the guest's reports", .brokenPipe)
            }
            text += String(decoding: bytes, as: UTF8.self)
        }
    }

    /// Reads to the end of the stream.
    func readToEnd() throws {
        while true {
            try descriptor.wait(for: .readable, deadline: .after(milliseconds: 120_000))
            if try descriptor.read(maximum: 4096).isEmpty { return }
        }
    }
}

extension GuestTests {
    @Suite struct ConsoleTests {
        private func boot(_ lab: Lab, serial: String) throws -> MartletProcess {
            try lab.start(
                "vmm0",
                [
                    "--memory", "size=64M", "--kernel", try #require(Prerequisites.guest),
                    "--serial", serial, "--cmdline", "report=20",
                ])
        }

        private func move(
            _ source: MartletProcess, _ lab: Lab, _ route: Route
        ) async throws -> MartletProcess {
            let destination = try lab.start("next\(route)")
            let url = route.url(in: lab)
            let reception = try destination.receive(at: url)
            try source.client.sendMigration(route.request(to: url))
            let result = try await source.migrationResult()
            try #require(result.outcome == .completed, "\(result.errors)\n\(source.log)")
            try reception.wait()
            return destination
        }

        @Test(arguments: [Route.unix, .local])
        func socketFollowsTheGuest(route: Route) async throws {
            let lab = try Lab()
            let path = lab.path("serial.sock")
            let source = try boot(lab, serial: "socket=\(path)")
            let reader = try Reader(socket: path)
            let before = try reader.nextReport().count("uptime_ms") ?? 0
            #expect(before > 0)
            #expect(try source.client.info().config.serial.socket == path)

            let destination = try await move(source, lab, route)
            try reader.readToEnd()
            let next = try Reader(socket: path)
            #expect(try next.nextReport().count("uptime_ms") ?? 0 > before)
            try destination.client.perform(.shutdownVMM)
            try next.readToEnd()
        }

        @Test func terminalIsNamedAndANewOneAfterAMove() async throws {
            let lab = try Lab()
            let source = try boot(lab, serial: "pty")
            let path = try #require(try source.client.info().config.serial.file)
            #expect(source.log.contains(path))
            let before = try Reader(terminal: path).nextReport().count("uptime_ms") ?? 0

            let destination = try await move(source, lab, .local)
            let next = try #require(try destination.client.info().config.serial.file)
            #expect(try Reader(terminal: next).nextReport().count("uptime_ms") ?? 0 > before)
        }

        /// Nobody reads: the guest goes on all the same, as its next reader sees.
        @Test func guestDoesNotWaitForAReader() async throws {
            let lab = try Lab()
            let path = lab.path("serial.sock")
            let vmm = try boot(lab, serial: "socket=\(path)")
            let stuck = try Reader(socket: path)
            let before = try stuck.nextReport().count("uptime_ms") ?? 0
            try await Task.sleep(for: .milliseconds(200))
            #expect(try Reader(socket: path).nextReport().count("uptime_ms") ?? 0 >= before)
            #expect(vmm.process.exitStatus == nil)
            _ = stuck
        }
    }
}
