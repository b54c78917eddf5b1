import GuestMemory
public import LinuxSystem
public import Machine

/// Builds simulated machines at a destination.
public struct SimulatedFactory: GuestFactory {
    private let name: String
    private let ledger: RunLedger
    private let surroundings: SimulatedGuest.Surroundings
    private let didBuild: @Sendable (SimulatedGuest) -> Void

    /// A factory of machines which report to a ledger.
    ///
    /// - Parameters:
    ///   - name: the name of the machine in the ledger.
    ///   - didBuild: gets the machine, so that its owner can advance its time.
    public init(
        name: String, ledger: RunLedger,
        surroundings: SimulatedGuest.Surroundings = SimulatedGuest.Surroundings(),
        didBuild: @escaping @Sendable (SimulatedGuest) -> Void = { _ in }
    ) {
        self.name = name
        self.ledger = ledger
        self.surroundings = surroundings
        self.didBuild = didBuild
    }

    /// Builds a machine that waits for its state.
    public func configure(
        _ description: GuestDescription, memory: consuming IncomingMemory
    ) throws(HardwareError) -> SimulatedGuest {
        try surroundings.step(.configure)
        guard
            let workload = SimulatedGuest.Workload(
                configuration: String(decoding: description.configuration, as: UTF8.self))
        else {
            throw HardwareError(.configure, "The configuration is not that of a simulated guest.")
        }
        let guest = SimulatedGuest(
            name: name, memory: try Self.makeMemory(description.regions, memory),
            workload: workload, seed: 0, ledger: ledger, surroundings: surroundings)
        didBuild(guest)
        return guest
    }

    private static func makeMemory(
        _ regions: [RegionLayout], _ memory: consuming IncomingMemory
    ) throws(HardwareError) -> GuestRAM {
        do throws(GuestMemoryError) {
            switch consume memory {
            case .copied:
                return try GuestRAM(layout: regions, backing: .sharedFile(hugePages: nil))
            case .passed(let files):
                return try GuestRAM(adopting: regions, hugePages: nil) { files.file(slot: $0) }
            }
        } catch {
            throw HardwareError(.configure, cause: error)
        }
    }
}

extension SimulatedGuest.Workload {
    /// The numbers of `SimulatedGuest.configuration(of:)`, in their order, however the JSON
    /// is spaced or sorted otherwise.
    init?(configuration: String) {
        func number(after key: String) -> UInt64? {
            guard let found = configuration.firstRange(of: "\"\(key)\"") else { return nil }
            let rest = configuration[found.upperBound...].drop { !$0.isNumber }
            return UInt64(rest.prefix { $0.isNumber })
        }
        guard let pages = number(after: "pages_per_second"), let hot = number(after: "hot_pages"),
            let state = number(after: "state_bytes"), state <= 64 << 20
        else { return nil }
        self.init(
            pagesPerSecond: pages, hotPages: Int(clamping: hot), stateBytes: Int(clamping: state),
            restoreNanoseconds: number(after: "restore_nanoseconds") ?? 0)
    }
}

/// Advances simulated guests in real time, on a thread of its own, for as long as it lives.
public final class SimulatedClock: Sendable {
    private let thread: WorkerThread

    /// A clock for one guest, whose writes happen every millisecond.
    public init(_ guest: SimulatedGuest) throws(SystemError) {
        thread = try WorkerThread(name: "simulated-clock") { stop in
            while true {
                do throws(SystemError) {
                    try stop.wait(deadline: .after(milliseconds: 1))
                    return
                } catch {
                    guest.advance(to: .now)
                }
            }
        }
    }

    /// Ends the clock.
    public func stop() {
        thread.requestStop()
        thread.join()
    }
}
