import MigrationProtocol
import Testing

/// Whole migrations between the two machines.
@Suite struct ConversationTests {
    /// Who speaks the extensions: nobody, or one or both of the ends.
    private static let peers: [(Extensions?, Extensions, Bool)] = [
        (.offered, .offered, true), (nil, .offered, false), (.offered, [], false),
    ]

    @Test(arguments: peers, [SourceProtocol.Mode.preCopy, .local])
    func orderlyMigrationGivesTheGuestToTheDestination(
        peers: (Extensions?, Extensions, Bool), mode: SourceProtocol.Mode
    ) throws {
        var conversation = Conversation(mode: mode, offering: peers.0, supported: peers.1)
        try conversation.advance(to: .gone)
        #expect(conversation.source.phase == .gone)
        #expect(conversation.destination.phase == .running)
        #expect(conversation.source.extensions.contains(.ownership) == peers.2)
        #expect(conversation.destination.isLocal == (mode == .local))
        #expect(
            conversation.source.releaseMoment == (peers.2 ? .afterReady : .beforeState))
    }

    @Test(arguments: [Extensions.offered, nil], [true, false])
    func pausedGuestArrivesPaused(offering: Extensions?, keepPaused: Bool) throws {
        var conversation = Conversation(offering: offering)
        try conversation.advance(to: .releasing)
        let takeover = Conversation.takeover(conversation.source, keepPaused: keepPaused)
        #expect(try conversation.exchange(takeover) == .end)
        guard case .takeOver(let received) = conversation.destinationAction else {
            Issue.record("The destination was not asked to take over")
            return
        }
        #expect(received.keepPaused == keepPaused)
    }

    @Test func memoryMayComeBeforeAndAfterThePause() throws {
        var conversation = Conversation()
        try conversation.advance(to: .preCopy)
        #expect(try conversation.exchange(.memory(rangeCount: 3)) == .goOn)
        #expect(try conversation.exchange(.zeroRanges(rangeCount: 2)) == .goOn)
        #expect(conversation.destinationAction == .receiveZeroRanges(rangeCount: 2))
        try conversation.source.guestPaused()
        #expect(try conversation.exchange(.memory(rangeCount: 1)) == .goOn)
        #expect(try conversation.exchange(.state(byteCount: 5)) == .release)
    }

    @Test func errorTextReachesTheSource() throws {
        var conversation = Conversation()
        try conversation.advance(to: .finalRound)
        let request = try conversation.source.send(.state(byteCount: 7))
        _ = try conversation.destination.receive(request)
        let answer = conversation.destination.fail(EndReason(.failed, "disk0 is locked"))
        let action = try conversation.deliver(#require(answer))
        #expect(action == .recover(EndReason(.failed, "disk0 is locked"), farewell: []))
    }

    @Test func basePeersNeverGetText() throws {
        var conversation = Conversation(offering: nil)
        try conversation.advance(to: .preCopy)
        let answer = conversation.destination.fail(EndReason(.failed, "disk0 is locked"))
        #expect(answer?.encoded == [2] + [UInt8](repeating: 0, count: 15))
    }
}
