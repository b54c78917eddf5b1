import ControlAPI
import LinuxSystem

/// Talks to a QEMU over its monitor socket, one command after the other.
final class MonitorClient {
    private let socket: StreamSocket
    private var unread: [UInt8] = []

    /// How long QEMU may take to answer, in milliseconds.
    private static let patience = 60_000

    /// Connects, and leaves the greeting behind.
    init(path: String) throws {
        socket = try StreamSocket.connect(path: path, deadline: .after(milliseconds: 5000))
        _ = try line()
        _ = try execute("qmp_capabilities", [:], NoAnswer.self)
    }

    /// Executes a command.
    ///
    /// - Throws: `.unexpected` with QEMU's reason when it refuses.
    func execute<Answer: Decodable>(
        _ command: String, _ arguments: [String: MonitorValue], _ type: Answer.Type
    ) throws -> Answer {
        let bytes = JSONBody.encode(MonitorCommand(execute: command, arguments: arguments))
        try socket.sendAll((bytes + [0x0a]).span, deadline: .after(milliseconds: Self.patience))
        while true {
            let answer = try JSONBody.decode(MonitorLine<Answer>.self, from: try line())
            if let refusal = answer.refusal {
                throw BenchmarkError.unexpected("QEMU refuses \(command): \(refusal.desc)")
            }
            if let value = answer.answer { return value }
        }
    }

    private func line() throws -> [UInt8] {
        let deadline = MonotonicInstant.after(milliseconds: Self.patience)
        while true {
            if let end = unread.firstIndex(of: 0x0a) {
                let line = Array(unread[..<end])
                unread.removeSubrange(...end)
                return line
            }
            var part = [UInt8](repeating: 0, count: 16384)
            var room = part.mutableSpan
            let count = try socket.receive(into: &room, deadline: deadline)
            guard count > 0 else { throw BenchmarkError.unexpected("QEMU has ended") }
            unread += part.prefix(count)
        }
    }
}
