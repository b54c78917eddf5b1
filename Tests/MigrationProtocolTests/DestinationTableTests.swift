import MigrationProtocol
import Testing

/// Every (state, event) pair of the destination against `Tools/model/destination.table`.
@Suite struct DestinationTableTests {
    enum Peer: String, CaseIterable {
        case base, martlet
    }

    /// States as the table names them, with the commands that lead there from Listening.
    private static let paths: [Peer: [String: [String]]] = [
        .base: [
            "Listening": [], "Started": ["Start"],
            "MemoryDescriptors": ["Start", "MemoryFd"],
            "Configured": ["Start", "Config"],
            "Loading": ["Start", "Config", "State"],
            "Prepared": ["Start", "Config", "State", "done"],
            "TakingOver": ["Start", "Config", "State", "done", "Complete"],
            "Running": ["Start", "Config", "State", "done", "Complete", "done"],
            "Returned": ["Start", "fail"], "Cancelled": ["Start", "Abandon"],
        ],
        .martlet: [
            "Listening": [], "Started": ["Start"], "Started+Session": ["Start", "Session"],
            "Started+RunFlag": ["Start", "Session", "RunFlag"],
            "MemoryDescriptors": ["Start", "Session", "MemoryFd"],
            "MemoryDescriptors+RunFlag": ["Start", "Session", "MemoryFd", "RunFlag"],
            "Configured": ["Start", "Session", "Config"],
            "Loading": ["Start", "Session", "Config", "State"],
            "Prepared": ["Start", "Session", "Config", "State", "done"],
            "TakingOver": ["Start", "Session", "Config", "State", "done", "Takeover"],
            "Running": ["Start", "Session", "Config", "State", "done", "Takeover", "done"],
            "Returned": ["Start", "Session", "fail"],
            "Cancelled": ["Start", "Session", "Cancel"],
        ],
    ]

    private static let commands: [String: Command] = Dictionary(
        uniqueKeysWithValues: Command.allCases.map { ($0.description, $0) })

    @Test(arguments: Peer.allCases)
    func everyPairIsAsInTheTable(peer: Peer) throws {
        let rows = try ProjectFile.table("Tools/model/destination.table")
            .filter { $0[0] == peer.rawValue || $0[0] == "any" }
        let paths = try #require(Self.paths[peer])
        let events = Self.commands.keys.sorted() + ["done", "fail", "cancel", "lost", "inquiry"]
        #expect(Set(rows.map { $0[1] }).isSubset(of: paths.keys))

        for (state, path) in paths {
            for event in events where peer == .martlet || event != "inquiry" {
                var destination = try Self.destination(peer, path)
                let isCommand = Self.commands[event] != nil
                let row = rows.first {
                    $0[1] == state && ($0[2] == event || (isCommand && $0[2] == "*"))
                }
                let said = try? Self.apply(event, to: &destination, peer)
                let expected = row?[4]
                let next = row?[3] ?? state
                #expect(said == expected, "\(peer.rawValue) \(state) \(event)")
                #expect(
                    destination.phase.rawValue == next.prefix { $0 != "+" },
                    "\(peer.rawValue) \(state) \(event)")
            }
        }
    }

    private static func destination(
        _ peer: Peer, _ path: [String]
    ) throws -> DestinationProtocol {
        var destination = DestinationProtocol()
        for event in path { _ = try apply(event, to: &destination, peer) }
        return destination
    }

    /// Applies an event as a driver would, and names what is said.
    private static func apply(
        _ event: String, to destination: inout DestinationProtocol, _ peer: Peer
    ) throws -> String {
        switch event {
        case "done" where destination.phase == .loading:
            return name(try destination.finishStep())
        case "done":
            return name(try destination.commitRunning())
        case "fail":
            return name(destination.fail(EndReason(.failed, "broken")))
        case "cancel":
            return name(try destination.cancel("enough"))
        case "lost":
            let phase = destination.phase
            let loss = destination.connectionLost()
            #expect((loss == .goOn) == [.takingOver, .running].contains(phase))
            return "-"
        case "inquiry":
            return try inquire(&destination)
        default:
            return try receive(try #require(commands[event]), &destination, peer)
        }
    }

    private static func inquire(_ destination: inout DestinationProtocol) throws -> String {
        let phase = destination.phase
        switch destination.inquiry(Conversation.token) {
        case .answer(let answer):
            // The guest's token is not known yet: nothing to hold this inquiry against.
            if phase == destination.phase, [.listening, .started].contains(phase) {
                throw ProtocolError.unexpectedEvent("An inquiry", state: phase.rawValue)
            }
            return name(answer.answer)
        case .discardAndAnswer(let answer):
            #expect(destination.phase == .returned)
            return name(answer.answer)
        }
    }

    private static func receive(
        _ command: Command, _ destination: inout DestinationProtocol, _ peer: Peer
    ) throws -> String {
        let length: UInt64 =
            switch command {
            case .session, .memory, .zeroRanges, .memoryBlocks, .verify, .pageFault: 16
            case .memoryDescriptor, .runFlag: 4
            case .config, .state, .takeover: 10
            case .start, .complete, .abandon, .completePaused, .cancel: 0
            }
        let request =
            command == .start
            ? StartOffer(extensions: peer == .base ? nil : .offered).request
            : Request(
                command, length: length,
                fields: command == .memoryBlocks ? HeaderFields(third: 17) : HeaderFields())
        switch try destination.receive(request) {
        case .send(let answer), .refuse(let answer, _): return name(answer)
        case .receiveToken: return name(try destination.tokenReceived(Conversation.token))
        case .receiveCancellation:
            return name(try destination.cancellationReceived(text: "enough"))
        case .loadState, .takeOver: return "-"
        case .receiveMemoryDescriptor, .receiveRunFlag, .receiveConfig, .receiveMemory,
            .receiveZeroRanges, .receiveBlocks, .verify:
            return name(try destination.finishStep())
        }
    }

    private static func name(_ answer: Answer?) -> String {
        switch answer?.response.status {
        case .ok: "Ok"
        case .error: "Error"
        case .running: "Running"
        case .returned: "Returned"
        case .unknown: "Unknown"
        case nil: "-"
        }
    }
}
