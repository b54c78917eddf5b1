internal import LinuxSystem
internal import Synchronization

/// The frame that tells switches where a guest is now: a request of the reverse address resolution
/// protocol (RFC 903) from the guest's address to everybody. Nobody answers it, and every switch
/// on the way learns the port that it came through.
func announcementFrame(from address: EthernetAddress) -> [UInt8] {
    let broadcast = [UInt8](repeating: 0xFF, count: 6)
    let noAddress = [UInt8](repeating: 0, count: 4)
    let ethernet = broadcast + address.bytes + [0x80, 0x35]
    // Ethernet, IPv4, lengths of their addresses, request.
    let head: [UInt8] = [0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x03]
    let frame = ethernet + head + address.bytes + noAddress + address.bytes + noAddress
    // The shortest frame that Ethernet allows, without its checksum.
    return frame + [UInt8](repeating: 0, count: 60 - frame.count)
}

/// Knows when a guest must be announced, and how often it was: once after each arrival, and once
/// after what was let go was taken back, in several rounds, because a switch that is busy with the
/// change may not have learnt from the first.
final class NetAnnouncer: Sendable {
    /// Rounds of one announcement. The distances are those that QEMU uses.
    static let rounds = 5
    /// Milliseconds before the second round.
    static let firstDistance = 50
    /// By how many milliseconds each distance is longer than the one before.
    static let growth = 100

    private struct State {
        var isRequired = false
        var roundsLeft = 0
        var timer: Timer?
    }

    /// A timer that threads share.
    private final class Timer: Sendable {
        let timer: TimerDescriptor

        init(_ timer: consuming TimerDescriptor) {
            self.timer = timer
        }
    }

    private let state = Mutex(State())

    /// The guest must be announced as soon as it runs here.
    func require() {
        state.withLock { state in
            state.isRequired = true
            state.roundsLeft = 0
        }
    }

    /// Begins, if it is required. The guest runs here. Does not wait: the frames are sent by the
    /// device's thread.
    ///
    /// - Returns: whether it is required.
    func begin() -> Bool {
        state.withLock { state in
            guard state.isRequired else { return false }
            state.isRequired = false
            state.roundsLeft = Self.rounds
            try? state.timer?.timer.set(at: .now)
            return true
        }
    }

    /// The rounds of the announcements, on the thread of a device: as long as there are such
    /// threads. What is left when they end is sent when the next ones have started.
    struct Schedule: Sendable {
        private let announcer: NetAnnouncer
        private let timer: Timer
        private let send: @Sendable () -> Void

        /// A schedule which sends each round with `send`.
        init(
            _ announcer: NetAnnouncer, _ send: @escaping @Sendable () -> Void
        ) throws(SystemError) {
            let timer = Timer(try TimerDescriptor(name: "announcements"))
            self.announcer = announcer
            self.timer = timer
            self.send = send
            try announcer.use(timer)
        }

        /// Waits with `waiter` for the time of each round.
        func add(to waiter: borrowing EventWaiter, token: UInt64) throws(SystemError) {
            try waiter.add(timer.timer.descriptor, token: token)
        }

        /// Sends a round when its time has come, and sets the time of the next.
        func proceed() {
            timer.timer.drain()
            guard announcer.takeRound(timer) else { return }
            send()
        }
    }

    private func use(_ timer: Timer) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            state.timer = timer
            if state.roundsLeft > 0 { try timer.timer.set(at: .now) }
        }
    }

    private func takeRound(_ timer: Timer) -> Bool {
        state.withLock { state in
            guard state.roundsLeft > 0 else { return false }
            state.roundsLeft -= 1
            if state.roundsLeft > 0 {
                let done = Self.rounds - state.roundsLeft
                let distance = Self.firstDistance + (done - 1) * Self.growth
                try? timer.timer.set(at: .after(milliseconds: distance))
            }
            return true
        }
    }
}

extension NetDevice {
    /// Announces the guest if it has just arrived or was taken back: frames that switches learn
    /// from, in several rounds, and a request to the driver to announce all its addresses.
    public func announce() {
        guard announcer.begin(), let activation = activity.activation,
            activation.features.contains([NetFeature.announcement, NetFeature.controlQueue])
        else { return }
        state.withLock { $0.choice.isAskedToAnnounce = true }
        activation.notifier.configurationChanged()
    }

    /// Sends a frame from each of the guest's addresses through each queue that is on.
    func sendAnnouncement(_ activation: DeviceActivation, _ tap: TapBackend) {
        let (choice, isUp) = state.withLock { ($0.choice, $0.isLinkUp) }
        guard isUp else { return }
        let header = [UInt8](repeating: 0, count: Tap.headerSize)
        let addresses = [choice.address ?? configuration.address] + choice.furtherAddresses
        for queue in tap.queues.prefix(choice.activePairs) {
            for address in addresses {
                do throws(SystemError) {
                    try queue.tap.descriptor.writeAll(header + announcementFrame(from: address))
                } catch {
                    guard !error.isLossOfOneFrame else { continue }
                    failures.tell(activation.notifier, "\(error)")
                }
            }
        }
    }
}
