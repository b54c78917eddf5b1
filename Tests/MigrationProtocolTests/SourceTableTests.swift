import MigrationProtocol
import Testing

/// Every (state, event) pair of the source against `Tools/model/source.table`.
@Suite struct SourceTableTests {
    struct Flavour: CustomTestStringConvertible {
        let peer: String
        let mode: SourceProtocol.Mode

        var testDescription: String { "\(peer) \(mode)" }
        var offering: Extensions? { peer == "base" ? nil : .offered }

        /// The rows of the table that hold for this flavour.
        func rows() throws -> [[String]] {
            try ProjectFile.table("Tools/model/source.table").filter { row in
                [peer, "any"].contains(row[0])
                    && [mode == .local ? "local" : "preCopy", "any"].contains(row[1])
            }
        }
    }

    static let flavours = ["base", "martlet"].flatMap { peer in
        [SourceProtocol.Mode.preCopy, .local].map { Flavour(peer: peer, mode: $0) }
    }

    private static let messages: [(String, SourceMessage)] = [
        ("Start", .start), ("Session", .session), ("MemoryFd", .memoryDescriptor),
        ("RunFlag", .runFlag), ("Config", .config(byteCount: 1)),
        ("Memory", .memory(rangeCount: 1)), ("ZeroRanges", .zeroRanges(rangeCount: 1)),
        ("MemoryBlocks", .memoryBlocks(rangeCount: 1, Conversation.format)),
        ("Verify", .verify(digestCount: 1)),
        ("State", .state(byteCount: 1)),
    ]

    private static let statuses: [(String, ResponseStatus)] = [
        ("Ok", .ok), ("Error", .error), ("Running", .running), ("Returned", .returned),
        ("Unknown", .unknown),
    ]

    /// Events other than messages and answers.
    private static let events =
        ["paused", "fail", "cancel", "unasked:Returned"]
        + ["Running", "Returned", "Unknown"].map { "inquiry:\($0)" }
        + ["operator:takeBack", "operator:giveUp"]

    @Test(arguments: flavours)
    func everyPairIsAsInTheTable(flavour: Flavour) throws {
        let rows = try flavour.rows()
        let paths = Self.paths(flavour)
        let named = Set(rows.map { $0[2] })
        #expect(named.isSuperset(of: paths.keys))
        #expect(named.subtracting(paths.keys).allSatisfy { $0.contains("+") || $0 == "Lost" })
        let deaths = flavour.mode == .local ? ["died:clear", "died:set"] : []
        for (state, path) in paths {
            var source = SourceProtocol(
                mode: flavour.mode, token: Conversation.token, offering: flavour.offering)
            for event in path { _ = try Self.apply(event, to: &source, flavour) }

            for event in Self.events + deaths {
                // Where a request is in flight, Returned would be its answer.
                let isAsked = [.awaitReady, .pointOfNoReturn].contains(source.phase)
                if isAsked && event.hasPrefix("unasked") { continue }
                try Self.check(event, state, source, rows, flavour)
            }
            for (name, message) in Self.allMessages(flavour) {
                let next = try Self.check("send:\(name)", state, source, rows, flavour)
                var sent = source
                guard (try? sent.send(message)) != nil else { continue }
                for (status, _) in Self.statuses {
                    try Self.check("\(name):\(status)", next, sent, rows, flavour)
                }
            }
        }
    }

    /// States as the table names them, with the events that lead there.
    private static func paths(_ flavour: Flavour) -> [String: [String]] {
        func exchange(_ commands: String...) -> [String] {
            commands.flatMap { ["send:\($0)", "\($0):Ok"] }
        }
        let isMartlet = flavour.peer == "martlet"
        let final = isMartlet ? "Takeover" : "Complete"
        var paths: [String: [String]] = [:]
        var path = exchange("Start")
        paths["Configuring"] = path
        if isMartlet {
            path += exchange("Session")
            paths["Configuring+Session"] = path
        }
        if flavour.mode == .local {
            if isMartlet { paths["Configuring+RunFlag"] = path + exchange("RunFlag") }
            path += exchange("MemoryFd")
            paths["Configuring+Memory"] = path
            if isMartlet {
                path += exchange("RunFlag")
                paths["Configuring+All"] = path
            }
        }
        path += exchange("Config")
        paths["PreCopy"] = path
        paths["FinalRound"] = path + ["paused"]
        paths["AwaitReady"] = path + ["paused", "send:State"]
        path += ["paused"] + exchange("State")
        paths["Releasing"] = path
        path += ["send:\(final)"]
        paths["PointOfNoReturn"] = path
        paths["InDoubt"] = path + ["fail"]
        paths["Gone"] = path + [isMartlet ? "Takeover:Running" : "Complete:Ok"]
        paths["Negotiating"] = []
        paths["Recovered"] = ["fail"]
        if isMartlet && flavour.mode == .local { paths["Lost"] = path + ["died:set"] }
        return paths
    }

    /// Compares what `event` does in `state` with the table and returns the next state's name.
    @discardableResult
    private static func check(
        _ event: String, _ state: String, _ source: SourceProtocol, _ rows: [[String]],
        _ flavour: Flavour
    ) throws -> String {
        let word = event.prefix { $0 != ":" }
        let isAnswer = allMessages(flavour).contains { $0.0 == word }
        let patterns = [event, "\(word):*"] + (isAnswer ? ["*:*"] : [])
        let row = patterns.lazy.compactMap { pattern in
            rows.first { $0[2] == state && $0[3] == pattern }
        }.first
        let next = row?[4] ?? state

        var changed = source
        let action = try? apply(event, to: &changed, flavour)
        let comment: Comment = "\(flavour.testDescription) \(state) \(event)"
        #expect(action == row?[5], comment)
        #expect(changed.phase.rawValue == next.prefix { $0 != "+" }, comment)
        return next
    }

    private static func allMessages(_ flavour: Flavour) -> [(String, SourceMessage)] {
        let bytes = flavour.peer == "base" ? 0 : 1
        let running = SourceMessage.takeover(
            Takeover(backendStateBytes: bytes, keepPaused: false))
        let paused = SourceMessage.takeover(Takeover(backendStateBytes: bytes, keepPaused: true))
        return messages
            + (flavour.peer == "base"
                ? [("Complete", running), ("CompletePaused", paused)] : [("Takeover", running)])
    }

    private static func apply(
        _ event: String, to source: inout SourceProtocol, _ flavour: Flavour
    ) throws -> String {
        let words = event.split(separator: ":").map(String.init)
        let reason = EndReason(.failed, "broken")
        switch words[0] {
        case "send":
            let message = try #require(allMessages(flavour).first { $0.0 == words[1] })
            let request = try source.send(message.1)
            #expect(request.command.description == words[1])
            return "-"
        case "paused":
            try source.guestPaused()
            return "-"
        case "fail":
            return name(source.fail(reason))
        case "cancel":
            return name(try source.cancel("enough"))
        case "inquiry":
            let answers: [String: InquiryAnswer] = [
                "Running": .running, "Returned": .returned(reason), "Unknown": .unknown,
            ]
            return name(try source.inquiryAnswered(try #require(answers[words[1]])))
        case "died":
            if words[1] == "set" { source.runFlagIsSet() }
            return name(source.destinationDied())
        case "operator":
            return name(try source.resolve(words[1] == "takeBack" ? .takeBack : .giveUp))
        default:
            let status = try #require(statuses.first { $0.0 == words[1] })
            var fields = HeaderFields()
            if words[0] == "Start", words[1] == "Ok", let offering = flavour.offering {
                fields = HeaderFields(first: 0x4D4C, second: offering.rawValue)
            }
            let noText: [UInt8] = []
            return name(source.answered(Response(status.1, fields: fields), text: noText.span))
        }
    }

    private static func name(_ action: SourceAction) -> String {
        switch action {
        case .goOn: "goOn"
        case .reconnectWithoutExtensions: "reconnect"
        case .release: "release"
        case .recover: "recover"
        case .inquire: "inquire"
        case .awaitOperator: "await"
        case .end: "end"
        case .guestLost: "lost"
        }
    }
}
