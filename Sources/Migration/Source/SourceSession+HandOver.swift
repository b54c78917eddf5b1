import GuestMemory
import LinuxSystem
import Logging
import Machine
import MigrationProtocol
import Transport

/// Steps while the guest stands still.
extension SourceSession {
    /// The guest is about to be stopped.
    func beginBlackout() {
        clock.begin(at: network.now)
        control.board.update { $0.throttlePercent = 0 }
        control.board.enter(.blackout, at: network.now)
        limitBlackout()
    }

    /// Sends the last pages and takes the guest's state.
    func finishMemory<Hardware>(
        _ machine: borrowing PausedMachine<Hardware>, staysPaused: Bool, _ dirty: inout PageSet
    ) throws(MigrationError) -> [UInt8] {
        // Guests that their owner paused have sent everything, and nothing was tracked.
        if options.mode == .preCopy, !staysPaused {
            try sendFinalMemory(machine.hardware, adding: &dirty)
        }
        try checkLimits()
        if isGuestDone {
            logger.notice(
                "the guest resets itself: it moves without its memory and starts anew there")
        }
        do {
            try state.guestPaused()
            try verifyMemory(machine.hardware.memory)
            clock.end(.finalMemory, at: network.now)
            let bytes = try machine.saveState()
            clock.end(.state, at: network.now)
            return bytes
        } catch let error as HardwareError {
            throw .hardware(error)
        } catch let error as ProtocolError {
            throw .invalidMessage(error)
        } catch let error as MigrationError {
            throw error
        } catch {
            throw .unsupported("\(error)")
        }
    }

    /// Sends the state and waits for Ready.
    func sendState(_ bytes: [UInt8]) throws(MigrationError) {
        try exchange(.state(byteCount: bytes.count), payload: bytes)
        clock.end(.ready, at: network.now)
    }

    /// Nobody can call the migration off from here on, unless somebody did a moment ago.
    func closeCancellation() throws(MigrationError) {
        try checkLimits()
        guard control.passPointOfNoReturn() else {
            throw .cancelled(control.cancellation.request?.reason ?? "")
        }
        control.board.enter(.takeover, at: network.now)
        limits = OperationLimits()
    }

    /// Sends Takeover and takes the answer; what happens on the way is the protocol's to judge.
    func sendTakeover(_ backendState: [UInt8], staysPaused: Bool) -> SourceAction {
        // The base protocol has no place for back-end state; devices that need it do not get
        // that far with such a peer.
        let payload = hasOwnership ? backendState : []
        do {
            let request = try state.send(
                .takeover(
                    Takeover(backendStateBytes: payload.count, keepPaused: staysPaused)))
            try mainChannel().send(request, payload: payload, within: limits)
            return try awaitTakeoverAnswer()
        } catch {
            return state.fail(EndReason(.connectionLost, "\(error)"))
        }
    }

    private func awaitTakeoverAnswer() throws(MigrationError) -> SourceAction {
        let channel = try mainChannel()
        let response = try channel.receiveResponse(within: limits)
        let count: Int
        do throws(ProtocolError) {
            count = try state.textByteCount(of: response)
        } catch {
            throw .invalidMessage(error)
        }
        let text = try channel.receivePayload(count, within: limits)
        return state.answered(response, text: text.span)
    }

    /// The guest is the destination's: says so everywhere.
    func succeed() -> MigrationSummary {
        let summary = summary()
        logger.info("\(summary)")
        control.board.update { $0.bytesRemaining = 0 }
        control.board.enter(.finished, at: network.now)
        observer(.finished(summary))
        endWorkers(.abrupt)
        channel?.connection.close(.orderly)
        return summary
    }
}
