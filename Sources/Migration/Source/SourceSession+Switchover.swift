import LinuxSystem
import Logging
import Machine
import MigrationProtocol
import Transport

/// When the guest is paused.
extension SourceSession {
    /// Looks at what is left after a round.
    ///
    /// - Returns: whether the guest would stand still for no longer than is wished, or shall be
    ///   paused all the same.
    func isTimeToPause(_ bytes: UInt64) throws(MigrationError) -> Bool {
        convergence.goal = settings.downtimeNanoseconds
        convergence.overhead = overhead
        convergence.noteRemaining(bytes)
        publish(remaining: bytes)
        noteStall()
        let isOver = options.timeoutStrategy == .ignore && watch.isOver
        guard isOver || convergence.decide(bytes: bytes) == .pause else {
            endHold()
            return false
        }
        if isOver {
            logger.notice(
                "pre-copy did not converge in time; the guest is moved all the same",
                metadata: ["bytes": "\(bytes)"])
        }
        return true
    }

    /// Waits for the word to switch, for a moment: rounds go on meanwhile, so that little is left
    /// when it comes. The time for pre-copy does not count while the guest could be switched.
    func hold() throws(MigrationError) {
        if !isHolding {
            isHolding = true
            watch.suspend()
            control.board.update { $0.isHolding = true }
            logger.notice("ready to switch; waiting for vm.continue-migration")
        }
        if watch.silence >= holdKeepAlive { try keepAlive() }
        let control = control
        _ = network.wait(
            on: control.changed, until: network.now.advanced(byNanoseconds: holdPeriod)
        ) { control.maySwitch || control.cancellation.request != nil }
        try checkLimits()
        if control.maySwitch { endHold() }
    }

    /// Waits for the word to switch, where there are no rounds.
    func holdWithoutRounds() throws(MigrationError) {
        while !control.maySwitch, !isGuestDone { try hold() }
        endHold()
    }

    /// The guest could not be switched any more, or will be.
    private func endHold() {
        guard isHolding else { return }
        isHolding = false
        watch.begin()
        control.board.update { $0.isHolding = false }
    }

    /// Nothing to send for a while must not look like a source that has died.
    private func keepAlive() throws(MigrationError) {
        try exchange(.memory(rangeCount: 0))
    }

    /// What the blackout takes beside memory, as far as it is known.
    private var overhead: UInt64 {
        guard let toldRestoreTime, let turnAround else { return Convergence.unknownOverhead }
        // State and Takeover are sent and answered.
        return toldRestoreTime &+ 2 &* turnAround &+ collectTime &+ Convergence.standstill
    }

    /// Takes note of what the destination says about itself.
    func noteTold() {
        if let microseconds = state.toldRestoreMicroseconds {
            toldRestoreTime = UInt64(microseconds) * 1000
        }
    }

    private func noteStall() {
        let isStalled = convergence.isStalled
        control.board.update { $0.isStalled = isStalled }
        guard isStalled != wasStallLogged else { return }
        wasStallLogged = isStalled
        guard isStalled else { return }
        logger.warning(
            "the guest writes as fast as its memory is sent: the rounds do not shrink",
            metadata: ["bytes per second": "\(convergence.bytesPerSecond)"])
    }

    /// Slows the guest down if it writes too fast for the rounds to shrink.
    func throttleIfStalled(_ hardware: some GuestHardware, _ bytes: UInt64) {
        let isChanged = throttle.roundEnded(
            bytes: bytes, isStalled: convergence.isStalled, ceiling: settings.throttleMaximum)
        let percent = throttle.percent
        // Again while it lasts: which vCPU writes most may have changed.
        guard isChanged || percent > 0 else { return }
        do throws(HardwareError) {
            try hardware.throttle(percent: percent)
        } catch {
            // The migration may converge without.
            logger.warning("the guest cannot be slowed down: \(error)")
            return
        }
        guard isChanged else { return }
        control.board.update { $0.throttlePercent = UInt64(clamping: percent) }
        logger.notice(
            "the guest writes too fast and is slowed down", metadata: ["percent": "\(percent)"])
    }

    /// Shows what this round has to send and what that means for the blackout.
    func publish(remaining bytes: UInt64) {
        let predicted = convergence.predictedBlackout(bytes: bytes)
        let rate = convergence.bytesPerSecond
        let round = iterations
        predictedBlackout = predicted
        control.board.update {
            $0.iteration = round
            $0.bytesRemaining = bytes
            $0.bytesPerSecond = rate
            $0.predictedBlackoutNanoseconds = predicted
        }
    }
}

/// How long a migration that holds waits between two rounds, in nanoseconds: 0.5 s, in which a
/// guest that fits into the blackout does not write much more than that again.
private let holdPeriod: UInt64 = 500_000_000

/// After how much silence a migration that holds lets the destination know that it is there, in
/// nanoseconds: 5 s, well below what the destination takes for death.
private let holdKeepAlive: UInt64 = 5_000_000_000
