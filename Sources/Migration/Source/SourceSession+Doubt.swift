import LinuxSystem
import Logging
import Machine
import MigrationProtocol
import Transport

/// What a source does whose Takeover was not answered.
extension SourceSession {
    /// Whether a person has said that the guest runs at the destination.
    var isGivenUp: Bool { control.resolution == .giveUp }

    /// Goes one step towards knowing where the guest is: looks for the death of the destination's
    /// process, for a person's word, then asks the destination.
    func resolveDoubt(_ action: SourceAction) -> SourceAction {
        noteDoubt()
        if let resolution = control.resolution {
            do throws(ProtocolError) {
                noteRunFlag()
                let action = try state.resolve(resolution)
                noteResolution(resolution)
                return action
            } catch {
                logger.error("the doubt cannot be resolved so: \(error)")
                control.forgetResolution()
            }
        }
        if channel?.connection.peerHasEnded == true {
            noteRunFlag()
            let action = state.destinationDied()
            if action != .inquire, action != .awaitOperator { return action }
        } else if action == .inquire, let answer = inquire() {
            do throws(ProtocolError) {
                let action = try state.inquiryAnswered(answer)
                if action != .inquire { return action }
            } catch {
                logger.error("the answer to the inquiry is refused: \(error)")
            }
        }
        waitBeforeAsking()
        return action == .inquire ? .inquire : .awaitOperator
    }

    /// What proves that the guest may come back.
    func returnReason(_ reason: EndReason) -> ReturnReason {
        if control.resolution == .takeBack { return .decidedByOperator }
        if channel?.connection.peerHasEnded == true { return .diedBeforeFirstInstruction }
        return .returned(reason.text)
    }

    /// A moment for the destination to let go of a lock or a tap.
    func waitBeforeReclaiming() {
        network.sleep(until: network.now.advanced(byNanoseconds: 50_000_000), unless: nil)
    }

    /// Looks at the flag that the destination sets before the first guest instruction. Its word
    /// Returned outweighs the flag; its death or a person's word does not.
    private func noteRunFlag() {
        if runFlag?.isSet == true { state.runFlagIsSet() }
    }

    /// Says once that the guest stands still until it is known where it runs.
    private func noteDoubt() {
        guard !isInDoubt else { return }
        isInDoubt = true
        channel?.connection.close(.abrupt)
        control.beginDoubt(runFlag)
        let reason =
            "the answer to Takeover was lost; the guest is kept here, standing still, until the "
            + "destination says whether it runs there"
        logger.critical("\(reason)")
        control.board.update { $0.failure = reason }
        control.board.enter(.inDoubt, at: network.now)
        observer(.inDoubt(reason: reason))
        noteInDoubt("the answer to Takeover was lost")
    }

    /// Asks the destination over a new connection. Nil when it did not answer.
    private func inquire() -> InquiryAnswer? {
        let limits = OperationLimits(
            idleSeconds: Self.inquirySeconds, cancellation: unspokenWord)
        do {
            let connection = try network.connect(to: options.destination, within: limits)
            defer { connection.close(.abrupt) }
            let channel = MessageChannel(connection)
            try connection.send(Inquiry(token: state.token).encoded, within: limits)
            let response = try channel.receiveResponse(within: limits)
            let count = try InquiryAnswer.textByteCount(of: response)
            let text = try channel.receivePayload(count, within: limits)
            return try InquiryAnswer(decoding: response, text: text.span)
        } catch {
            logger.warning("the destination did not answer the inquiry: \(error)")
            return nil
        }
    }

    private static var inquirySeconds: Int { 10 }

    /// Waits longer each time, from 0.1 s up to 5 s.
    private func waitBeforeAsking() {
        let end = network.now.advanced(byNanoseconds: inquiryBackOff)
        inquiryBackOff = min(inquiryBackOff * 2, 5_000_000_000)
        network.sleep(until: end, unless: unspokenWord)
    }

    /// The person's word as long as nobody has said any: one that was refused wakes nobody again.
    private var unspokenWord: Cancellation? {
        control.operatorWord.request == nil ? control.operatorWord : nil
    }
}
