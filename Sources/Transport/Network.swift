public import LinuxSystem

/// The world outside of one process as a migration needs it: connections, time and threads.
///
/// `HostNetwork` is the real one; the simulation has another, in virtual time, which runs the same
/// engines.
public protocol Network: Sendable {
    /// Connections that it makes.
    associatedtype Connection: Channel

    /// Listeners that it makes.
    associatedtype Listener: ConnectionListener where Listener.Connection == Connection

    /// The current time, on the clock of all limits.
    var now: MonotonicInstant { get }

    /// Waits until a point in time, or until the cancellation is requested.
    func sleep(until end: MonotonicInstant, unless cancellation: Cancellation?)

    /// Waits until a condition holds.
    ///
    /// - Parameters:
    ///   - event: signalled by whoever may have made the condition true; drained here, so it is
    ///     the caller's alone.
    ///   - end: when the wait ends in any case.
    /// - Returns: whether the condition holds.
    func wait(
        on event: borrowing EventDescriptor, until end: MonotonicInstant,
        for condition: @escaping @Sendable () -> Bool
    ) -> Bool

    /// Connects to whoever listens at a URL.
    func connect(
        to url: MigrationURL, within limits: OperationLimits
    ) throws(TransportError) -> Connection

    /// Listens at a URL, where only one may listen at a time.
    func listen(on url: MigrationURL) throws(TransportError) -> Listener

    /// Runs a body on a thread of its own, which nobody waits for.
    func spawn(
        _ kind: ThreadKind, _ name: String, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError)
}

/// A place where connections arrive.
public protocol ConnectionListener: AnyObject, Sendable {
    /// Connections that arrive.
    associatedtype Connection: Channel

    /// Where it listens; with the port that the kernel chose, where 0 was asked for.
    var url: MigrationURL { get }

    /// Waits for the next connection. An idle limit does not apply: a destination may wait for
    /// its source as long as its user likes.
    func accept(within limits: OperationLimits) throws(TransportError) -> Connection

    /// Ends listening; an `accept` under way fails and a UNIX socket's path is removed.
    func close()
}
