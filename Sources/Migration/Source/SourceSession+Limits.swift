import LinuxSystem
import Machine
import MigrationProtocol
import Transport

/// How long each step may take, and what it means when it takes longer.
extension SourceSession {
    /// The present settings; those that the migration began with before it began.
    var settings: MigrationSettings { control.settings ?? options.settings }

    /// Ends a step between two messages when there is no time for the next one.
    func checkLimits() throws(MigrationError) {
        if limits.cancellation != nil {
            if let request = control.cancellation.request { throw .cancelled(request.reason) }
            if let event = pendingEvent(), event.endsGuest { throw .cancelled("\(event)") }
        }
        refreshLimits()
        if let deadline = stepDeadline, deadline <= network.now { throw timeError }
    }

    /// The user may have changed how long pre-copy may take.
    private func refreshLimits() {
        guard clock.start == nil, options.timeoutStrategy == .cancel, !control.isPastPointOfNoReturn
        else { return }
        limits = Self.limits(of: watch, control)
        stepDeadline = limits.deadline == nil ? nil : watch.end
    }

    /// Limits of an operation of pre-copy that may fail with its deadline.
    private static func limits(
        of watch: PreCopyWatch, _ control: OutgoingControl
    ) -> OperationLimits {
        let end = watch.end
        return OperationLimits(
            deadline: end == .distantFuture ? nil : end.advanced(byNanoseconds: watch.grace),
            cancellation: control.cancellation)
    }

    /// Limits for the threads of memory connections, which ask before each operation.
    var sharedLimits: @Sendable () -> OperationLimits {
        let limits = limits
        guard clock.start == nil, options.timeoutStrategy == .cancel else { return { limits } }
        let (watch, control) = (watch, control)
        return { Self.limits(of: watch, control) }
    }

    /// How fast and how long memory may be sent.
    var pace: MemoryPace {
        let (watch, control, limiter, network) = (watch, control, limiter, network)
        let pendingEvent = pendingEvent
        let isMemoryWanted: @Sendable () -> Bool = { pendingEvent() == nil && !watch.isOver }
        return MemoryPace(
            isMemoryWanted: isMemoryWanted,
            largestBatch: { watch.bytesPerSecond.map(BandwidthLimiter.batchBytes) ?? .max },
            awaitTurn: { bytes in
                limiter.wait(
                    toSend: bytes, at: { watch.bytesPerSecond }, on: network,
                    unless: control.cancellation, isOver: { !isMemoryWanted() })
            },
            noteAnswer: { watch.noteAnswer() })
    }

    /// Whether the destination needs the guest's memory: a guest that resets itself starts there
    /// with fresh memory, so the rest of the old one is not worth its blackout. One that has ended
    /// goes nowhere. What there is no time for while the guest runs is left for the blackout.
    var isMemoryWanted: Bool { !isGuestDone && !watch.isOver }

    /// Whether the guest did something to its whole machine, after which it does nothing more.
    var isGuestDone: Bool { pendingEvent() != nil }

    /// What it means when the deadline passes.
    var timeError: MigrationError {
        if clock.start != nil,
            let limit = options.blackoutLimitMilliseconds(
                downtimeMilliseconds: settings.downtimeMilliseconds)
        {
            return .blackoutLimit(milliseconds: limit)
        }
        // Whether the guest writes too fast shows only after its memory was sent once.
        guard hasSentAllOnce else {
            return .tooSlow(seconds: settings.timeoutSeconds, sentBytes: memoryBytes)
        }
        return .timeout(seconds: settings.timeoutSeconds)
    }

    /// A passed deadline is named by what it was set for. That of pre-copy leaves an operation under
    /// way more time than any takes: if nothing at all was heard meanwhile, on no connection, it is
    /// the destination that let it pass.
    func explained(_ error: MigrationError) -> MigrationError {
        guard case .transport(.deadlinePassed) = error else { return error }
        guard clock.start == nil, watch.isUnanswered else { return timeError }
        return .unanswered(
            milliseconds: watch.silence / 1_000_000, timeoutSeconds: settings.timeoutSeconds)
    }

    /// Sets the limits of pre-copy, which begins now.
    func limitPreCopy() {
        watch.begin()
        refreshLimits()
    }

    /// Sets the limits of the blackout up to the point of no return: after this time the guest
    /// must be on its way back.
    func limitBlackout() {
        watch.enterBlackout()
        stepDeadline = nil
        limits.deadline = nil
        guard let start = clock.start,
            let limit = options.blackoutLimitMilliseconds(
                downtimeMilliseconds: settings.downtimeMilliseconds)
        else { return }
        // A fifth is kept for taking backends back and starting again.
        let (nanoseconds, overflow) = (limit - limit / 5).multipliedReportingOverflow(
            by: 1_000_000)
        let end = start.advanced(byNanoseconds: overflow ? .max : nanoseconds)
        stepDeadline = end
        limits.deadline = end
    }
}

extension OperationLimits {
    /// At what rate a destination takes memory at least, in bytes per second: 64 MiB/s. A busy host
    /// that has to get it from a host of its own was seen to take 100 MiB/s.
    private static let slowestTaking: UInt64 = 64 << 20

    /// The same limits for a peer that may take memory from its kernel (`prefault=on`) before it
    /// answers. That it still lives is for the connection itself to notice meanwhile.
    func allowing(taking memoryBytes: UInt64) -> OperationLimits {
        var limits = self
        limits.idleSeconds += Int(clamping: memoryBytes / Self.slowestTaking)
        return limits
    }
}
