import GuestMemory
import LinuxSystem
import Logging
import Machine
import Migration
import MigrationProtocol
import Testing
import Transport

/// The source against peers that are no Martlet, or none at all.
@Suite struct SourceAgainstBasePeerTests {
    @Test func guestMovesToABaseDestination() throws {
        let peer = try BaseDestination()
        let source = try LoneSource(peer.listener.url)

        let result = try source.move()

        guard case .moved(let summary) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(peer.commands.first == 1)
        #expect(peer.commands.suffix(2) == [3, 5])
        #expect(peer.memoryBytes == summary.memoryBytes)
        #expect(source.ledger.running == [])
    }

    @Test func pausedGuestEndsWithCompletePaused() throws {
        let peer = try BaseDestination()
        let source = try LoneSource(peer.listener.url)

        let result = source.movePaused()

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(peer.commands.suffix(2) == [3, 8])
    }

    @Test func startWithExtensionsIsRepeatedWithoutThem() throws {
        let peer = try BaseDestination(refusesExtensions: true)
        let source = try LoneSource(peer.listener.url)

        let result = try source.move()

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(peer.firstRequests.count == 2)
        #expect(peer.firstRequests.first?[6...7] == [0x4C, 0x4D])
        #expect(peer.firstRequests.last == ScriptedPeer.request(1))
    }

    @Test(arguments: [1, 2, 4, 3] as [UInt8])
    func connectionLostBeforeTakeoverLeavesTheGuestRunning(command: UInt8) throws {
        let peer = try BaseDestination(hangsUpAt: command)
        let source = try LoneSource(peer.listener.url)

        let result = try source.move()

        guard case .running(.transport) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(source.ledger.running == ["source"])
        #expect(source.ledger.violations == [])
    }

    /// Number 8 in docs/comparison.md: it resumes the guest there.
    @Test func lostAnswerToCompleteLeavesTheSourceInDoubtUntilAPersonDecides() throws {
        let peer = try BaseDestination(hangsUpAt: 5)
        let source = try LoneSource(peer.listener.url)
        source.whenInDoubt { try? $0.resolveDoubt(.takeBack) }

        let result = try source.move()

        guard case .running = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(source.ledger.running == ["source"])
        #expect(source.events.contains { if case .inDoubt = $0 { true } else { false } })
    }

    @Test func guestThatDoesNotConvergeStaysAfterTheTimeout() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 40)
        let source = try LoneSource(peer.listener.url)
        peer.whenMemoryArrives { source.dirtyPages() }
        // How long the first pass takes is the host's; only after it the guest can be too fast.
        source.afterIteration(1) { control in
            #expect(control.change { $0.timeoutSeconds = 1 })
        }

        let result = try source.move { $0.downtimeMilliseconds = 1 }

        #expect(result == .running(.timeout(seconds: 1)))
        #expect(source.control.progress().phase == .failed)
    }

    /// Nobody shall look for a guest that writes too fast when the other end is dead.
    /// Number 19 in docs/comparison.md: the timeout does not hold inside a request there.
    @Test func silentDestinationIsNotTakenForAGuestThatWritesTooFast() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 20_000)
        let source = try LoneSource(peer.listener.url)

        let result = try source.move { $0.timeoutSeconds = 1 }

        guard case .running(.unanswered(let milliseconds, timeoutSeconds: 1)) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(milliseconds >= 1000)
        #expect(source.control.progress().failure?.contains("had not answered") == true)
    }

    /// Nor when the connection is slow.
    @Test func slowConnectionIsNotTakenForAGuestThatWritesTooFast() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 1500)
        let source = try LoneSource(peer.listener.url)

        let result = try source.move { $0.timeoutSeconds = 1 }

        guard case .running(.tooSlow(seconds: 1, _)) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(source.control.progress().failure?.contains("for the first time") == true)
    }

    /// A guest that ends while it is moved is not worth moving; both ends are told why.
    @Test(arguments: [GuestEvent.shutdown, .crashed(description: "Processor 0 had a triple fault")])
    func guestThatEndsStaysWithItsReason(event: GuestEvent) throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 40)
        let source = try LoneSource(peer.listener.url)
        peer.whenMemoryArrives { source.dirtyPages() }
        source.afterIteration(0) { _ in source.guest.raise(event) }

        let result = try source.move { $0.downtimeMilliseconds = 1 }

        #expect(result == .running(.cancelled("\(event)")))
        #expect(source.control.progress().phase == .cancelled)
        #expect(source.events.last == .cancelled(reason: "The migration was cancelled: \(event)"))
        #expect(source.guest.pendingEvent == event)
    }

    /// Its memory is made anew where it arrives: no round is needed any more.
    @Test func guestThatResetsItselfMovesAtOnce() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 40)
        let source = try LoneSource(peer.listener.url)
        peer.whenMemoryArrives { source.dirtyPages() }
        source.afterIteration(1) { _ in source.guest.raise(.reset) }

        let result = try source.move { $0.downtimeMilliseconds = 1 }

        guard case .moved(let summary) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(summary.iterations == 2)
    }

    @Test func wordWithoutADoubtIsRefused() throws {
        let control = try OutgoingControl()
        #expect(throws: DoubtError.noDoubt) { try control.resolveDoubt(.takeBack) }
        #expect(throws: DoubtError.noDoubt) { try control.resolveDoubt(.giveUp) }
    }

    @Test func guestThatDoesNotConvergeMovesAnywayWhenTheTimeoutIsIgnored() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 40)
        let source = try LoneSource(peer.listener.url)
        peer.whenMemoryArrives { source.dirtyPages() }

        let result = try source.move {
            $0.timeoutSeconds = 1
            $0.downtimeMilliseconds = 1
            $0.timeoutStrategy = .ignore
        }

        guard case .moved(let summary) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(summary.totalNanoseconds > 1_000_000_000)
    }

    @Test func cancelDuringPreCopyLeavesTheGuestRunning() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 40)
        let source = try LoneSource(peer.listener.url)
        peer.whenMemoryArrives { source.dirtyPages() }
        source.afterIteration(2) { _ = $0.cancel("maintenance is over") }

        let result = try source.move { $0.downtimeMilliseconds = 1 }

        #expect(result == .running(.cancelled("maintenance is over")))
        #expect(peer.commands.last == 6)
        #expect(source.control.progress().phase == .cancelled)
        #expect(source.ledger.running == ["source"])
    }

    /// Number 4 in docs/comparison.md: there is no progress there.
    @Test func progressIsKnownAtAllTimes() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 40)
        let source = try LoneSource(peer.listener.url)
        peer.whenMemoryArrives { source.dirtyPages() }
        source.afterIteration(2) { control in
            let progress = control.progress()
            #expect(progress.phase == .memory)
            #expect(progress.bytesTotal == 6 << 20)
            #expect(progress.bytesSent > 0)
            #expect(progress.bytesPerSecond > 0)
            #expect(progress.predictedBlackoutNanoseconds != nil)
            _ = control.cancel("seen")
        }

        _ = try source.move { $0.downtimeMilliseconds = 1 }
    }

    @Test func cancelAfterTheEndIsTooLate() throws {
        let peer = try BaseDestination()
        let source = try LoneSource(peer.listener.url)

        _ = try source.move()

        #expect(!source.control.cancel("too late"))
    }

    @Test func localMigrationOverTCPIsRefusedBeforeThePause() throws {
        let ends = try TwoEnds(.tcp(host: "127.0.0.1", port: 0))

        let result = try ends.move(
            MigrationOptions(destination: ends.listener.url, mode: .local))

        guard case .running(.unsupported(let reason)) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(reason.contains("unix:"))
    }

    @Test func localMigrationOfPrivateMemoryIsRefused() throws {
        let ends = try TwoEnds(
            temporarySocket("private"), backing: .privateAnonymous(hugePages: nil))

        let result = try ends.move(
            MigrationOptions(destination: ends.listener.url, mode: .local))

        guard case .running(.unsupported(let reason)) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(reason.contains("shared=on"))
    }

    @Test func nobodyListeningIsAClearError() throws {
        let source = try LoneSource(temporarySocket("nobody"))

        let result = try source.move()

        guard case .running(let error) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(error.description.contains("No such file or directory"))
    }

    /// Answers that no destination would send, to the Start of a Martlet.
    @Test(arguments: [
        [UInt8](repeating: 0xFF, count: 16),
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0x4C, 0x4D, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [2, 0, 0x4C, 0x4D, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        [0, 0x4D, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0],
    ])
    func senselessAnswerLeavesTheGuestRunning(answer: [UInt8]) throws {
        let listener = try HostNetwork(allowsPlainTCP: false).listen(on: temporarySocket("odd"))
        defer { listener.close() }
        let odd = try WorkerThread(name: "odd") { _ in
            while let channel = try? listener.accept(within: OperationLimits()) {
                var peer = ScriptedPeer(channel)
                _ = try? peer.receive(16)
                try? peer.send(answer)
                channel.close(.orderly)
            }
        }
        let source = try LoneSource(listener.url)

        let result = try source.move()
        listener.close()
        odd.join()

        guard case .running = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(source.ledger.running == ["source"])
    }
}
