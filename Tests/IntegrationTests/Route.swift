import ControlAPI
import Testing

/// A way for a guest to get from one VMM to another.
enum Route: String, CaseIterable, CustomTestStringConvertible {
    /// Pre-copy over TCP on the loopback interface.
    case tcp
    /// The same with four connections for memory.
    case manyTCP
    /// Pre-copy over a UNIX socket.
    case unix
    /// The memory is handed over.
    case local

    var testDescription: String { rawValue }

    /// Where the destination listens.
    func url(in lab: Lab) -> String {
        switch self {
        case .tcp: "tcp:127.0.0.1:4444"
        // A VMM that received a guest goes on listening, for a source in doubt.
        case .manyTCP: "tcp:127.0.0.1:4445"
        case .unix: "unix:\(lab.path("move"))"
        case .local: "unix:\(lab.path("local"))"
        }
    }

    /// What the source is asked for.
    func request(to url: String) -> SendMigrationData {
        var request = SendMigrationData(destinationURL: url)
        request.local = self == .local
        request.connections = self == .manyTCP ? 4 : 1
        return request
    }
}
