import Confinement
import ControlAPI
import LinuxSystem
import Logging
import Migration

/// One `martlet run`: sets up what the parts share, starts the API, and works on the control
/// thread until the guest or somebody else ends it.
public enum VMMProcess {
    /// Runs until the end.
    ///
    /// Nothing here starts programs. Who comes to do that forks a small launcher as the very first
    /// step, and asks it over a socket: the filters deny `execve`, and would outlive it.
    ///
    /// Call it on the process's first thread, before there are others: signals that ask to end are
    /// taken out of their ordinary way for all threads that start afterwards.
    ///
    /// - Returns: the exit status; 0 when the guest shut down, was moved away, or the VMM was
    ///   asked to end.
    /// - Throws: when the process cannot begin its work.
    public static func run(_ options: VMMOptions) throws -> Int32 {
        let start = MonotonicInstant.now
        let signals = try SignalDescriptor()
        let log = try options.log.open()
        let logger = options.log.makeLogger(to: log, since: start)
        var monitor: EventMonitor?
        if let option = options.eventMonitor {
            monitor = try EventMonitor(option, start: start)
        }
        let journal = try options.ownershipJournal.map { path throws(JournalError) in
            try OwnershipJournal(path: path)
        }
        for record in journal?.earlier.conclusions ?? [] where record.decision.leavesDoubt {
            logger.warning(
                "look at the other end before the guest is started here: \(record.decision.meaning)",
                metadata: ["migration": "\(record.migration)", "peer": "\(record.detail)"])
        }
        // What starts programs, once there is something to start, is made before this.
        try Confinement.begin(options.filters, log: log, since: start)
        if options.filters != .enforced {
            logger.warning("no system call is denied (--seccomp \(options.filters.rawValue))")
        }
        let events = EventSink(monitor: monitor)
        events.record(.vmmStarting)
        let queue = try ControlQueue(signals: signals)
        let environment = VMMEnvironment(
            queue: queue, events: events, logger: logger,
            allowsPlainTCP: options.allowsPlainTCP, journal: journal)
        let server = try makeServer(options.apiSocket, environment)
        defer { server?.stop() }
        let usesTerminal = options.guest.map { $0.serial.mode == .tty || $0.console.mode == .tty }
        let terminal = usesTerminal == true ? TerminalMode.raw() : nil
        let status = Controller(environment).run(first: options.guest)
        // Not before: the end of this value gives the terminal back.
        _ = consume terminal
        return status
    }

    private static func makeServer(
        _ option: APISocketOption?, _ environment: VMMEnvironment
    ) throws(SystemError) -> APIServer? {
        switch option {
        case nil:
            return nil
        case .path(let path):
            return try APIServer(path: path, handler: environment.queue, logger: environment.logger)
        case .descriptor(let number):
            return try APIServer(
                listener: StreamListener(
                    adopting: OwnedDescriptor(adopting: number, name: "API socket")),
                handler: environment.queue, logger: environment.logger)
        }
    }
}
