import LinuxSystem
import MigrationProtocol
import Synchronization
import Transport

/// Makes the memory connections of a source, all of them at the same time: each takes several
/// round trips, with TLS a handshake too, and one that is slow delays no other.
final class MemoryConnectionMaker<Outside: Network>: Sendable {
    private struct State {
        var made: [Outside.Connection] = []
        var failure: MigrationError?
    }

    private let state = Mutex(State())
    private let hasNews: EventDescriptor

    private init() throws(SystemError) {
        hasNews = try EventDescriptor(name: "memory connections")
    }

    /// Makes the connections and shows the destination that they belong to this migration.
    ///
    /// - Throws: the first failure, at once; connections that are still being made then are closed
    ///   by their threads.
    static func make(
        count: Int, for session: SourceSession<Outside>
    ) throws(MigrationError) -> [Outside.Connection] {
        let maker: MemoryConnectionMaker
        do throws(SystemError) {
            maker = try MemoryConnectionMaker()
        } catch {
            throw .unsupported("Memory connections cannot be made: \(error)")
        }
        for index in 0..<count where maker.failure == nil {
            maker.begin(index, for: session)
        }
        _ = session.network.wait(on: maker.hasNews, until: .distantFuture) {
            maker.state.withLock { $0.made.count == count || $0.failure != nil }
        }
        let (made, failure) = maker.state.withLock { ($0.made, $0.failure) }
        guard let failure else { return made }
        for connection in made { connection.close(.abrupt) }
        throw failure
    }

    private var failure: MigrationError? { state.withLock { $0.failure } }

    private func begin(_ index: Int, for session: SourceSession<Outside>) {
        let (network, url, limits) = (session.network, session.options.destination, session.limits)
        let (extensions, token) = (session.state.extensions, session.state.token)
        let (board, plan, pace) = (session.control.board, session.contents, session.pace)
        do throws(SystemError) {
            try network.spawn(.sender, "connect-\(index)") { [self] in
                do throws(MigrationError) {
                    let connection = try Self.connect(network, url, within: limits)
                    let introduced = MemoryConnection(
                        connection, extensions: extensions, plan: plan, board: board, pace: pace
                    ) { limits }
                    do throws(MigrationError) {
                        try introduced.introduce(token: token)
                    } catch {
                        connection.close(.abrupt)
                        throw error
                    }
                    add(connection)
                } catch {
                    fail(error)
                }
            }
        } catch {
            fail(.unsupported("A memory connection cannot be made: \(error)"))
        }
    }

    private static func connect(
        _ network: Outside, _ url: MigrationURL, within limits: OperationLimits
    ) throws(MigrationError) -> Outside.Connection {
        do throws(TransportError) {
            return try network.connect(to: url, within: limits)
        } catch {
            throw MigrationError(error)
        }
    }

    private func add(_ connection: Outside.Connection) {
        let isWanted = state.withLock { state in
            if state.failure == nil { state.made.append(connection) }
            return state.failure == nil
        }
        if isWanted { hasNews.signal() } else { connection.close(.abrupt) }
    }

    private func fail(_ error: MigrationError) {
        state.withLock { if $0.failure == nil { $0.failure = error } }
        hasNews.signal()
    }
}
