public import ControlAPI
public import Migration
import Transport

/// What the engines say, in the words of the API.
extension MigrationProgressReport {
    /// Where a migration stands.
    public init(_ progress: MigrationProgress) {
        self.init(phase: progress.phase.rawValue)
        iteration = progress.iteration
        bytesTotal = progress.bytesTotal
        bytesSent = progress.bytesSent
        bytesSaved = progress.bytesSaved
        bytesZero = progress.bytesZero
        bytesRemaining = progress.bytesRemaining
        rateBytesPerSecond = progress.bytesPerSecond
        dirtyRateBytesPerSecond = progress.dirtyBytesPerSecond
        predictedBlackoutMilliseconds = progress.predictedBlackoutNanoseconds.map {
            VMM.milliseconds($0)
        }
        isHolding = progress.isHolding
        isStalled = progress.isStalled
        throttlePercent = progress.throttlePercent
        connections = progress.connections
        elapsedMilliseconds = Double(progress.elapsedMilliseconds)
        if progress.phase == .inDoubt { result = MigrationResult(inDoubt: progress, self) }
    }
}

extension MigrationResult {
    /// A guest that left.
    public init(_ summary: MigrationSummary) {
        self.init(outcome: .completed)
        totalMilliseconds = VMM.milliseconds(summary.totalNanoseconds)
        bytesSent = summary.memoryBytes
        iterations = summary.iterations
        blackoutMilliseconds = VMM.milliseconds(summary.blackout.total)
        predictedBlackoutMilliseconds = summary.predictedBlackout.map { VMM.milliseconds($0) }
        blackoutPhases = Blackout.Phase.allCases.map { phase in
            BlackoutPhase(
                phase: phase.nameInReports,
                milliseconds: VMM.milliseconds(summary.blackout[phase]))
        }
    }

    /// A guest that came; the blackout is known at its source only.
    init(arrived report: MigrationProgressReport) {
        self.init(outcome: .completed)
        totalMilliseconds = report.elapsedMilliseconds
        bytesSent = report.bytesSent
        iterations = report.iteration
    }

    /// A guest of which this end does not know yet where it runs. Whoever waits for the end is
    /// told this much; it is replaced by the end once that is known.
    init(inDoubt progress: MigrationProgress, _ report: MigrationProgressReport) {
        self.init(outcome: .inDoubt)
        errors = progress.failure.map { [$0] } ?? []
        totalMilliseconds = report.elapsedMilliseconds
        bytesSent = report.bytesSent
        iterations = report.iteration
    }

    /// A guest that stayed where it was.
    init(_ error: MigrationError, _ report: MigrationProgressReport) {
        let isCancelled = report.phase == MigrationProgress.Phase.cancelled.rawValue
        self.init(outcome: isCancelled ? .cancelled : .failed)
        errors = ["\(error)"]
        totalMilliseconds = report.elapsedMilliseconds
        bytesSent = report.bytesSent
        iterations = report.iteration
    }
}

extension MigrationOptions {
    /// What `vm.send-migration` asks for.
    init(_ data: SendMigrationData) throws(TransportError) {
        self.init(
            destination: try MigrationURL(parsing: data.destinationURL),
            mode: data.handsMemoryOver ? .local : .preCopy,
            downtimeMilliseconds: data.downtimeMilliseconds,
            timeoutSeconds: data.timeoutSeconds,
            timeoutStrategy: data.timeoutStrategy == .cancel ? .cancel : .ignore)
        connections = Int(data.connections)
        compression =
            switch data.compression {
            case .off: .off
            case .zstd: .zstd
            case .lz4: .lz4
            case .auto: .automatic
            }
        hasChecksums = data.checksums
        verifiesMemory = data.verify
        bytesPerSecond = data.bandwidth == 0 ? nil : data.bandwidth
        throttleMaximum = Int(data.throttleMaximum)
        holdsBeforeSwitchover = data.holdsBeforeSwitchover
    }
}

extension EventSink {
    /// Reports what a migration's thread tells.
    @Sendable func report(_ event: MigrationEvent) {
        switch event {
        case .started: record(.migrationStarted)
        case .memoryIteration(let iteration): record(.migrationMemoryIteration(iteration))
        case .finished: record(.migrationFinished)
        case .failed: record(.migrationFailed)
        case .cancelled: record(.migrationCancelled)
        case .inDoubt: record(.migrationInDoubt)
        case .receiveReady: record(.migrationReceiveReady)
        case .receiveStarted: record(.migrationReceiveStarted)
        case .receiveFinished: record(.migrationReceiveFinished)
        case .receiveFailed: record(.migrationReceiveFailed)
        }
    }
}
