import GuestMemory
import LinuxSystem
import Machine
import Migration
import Testing
import Transport

/// What Cloud Hypervisor expects of a peer, line by line: the table in docs/comparison.md.
@Suite struct BaseChecklistTests {
    @Test func baseSourceKeepsToTheChecklist() throws {
        let peer = try StrictDestination()
        let source = try LoneSource(peer.url)

        let result = try source.move { $0.offersExtensions = false }
        peer.finish()

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(peer.violations == [])
        let events = peer.events
        let start = StrictDestination.Event.request(
            connection: 0, command: 1, head: ScriptedPeer.request(1))
        #expect(events.first == start)
        let commands = events.commands(on: 0)
        #expect(commands.prefix(2) == [1, 2])
        #expect(commands.suffix(2) == [3, 5])
        #expect(Set(commands.dropFirst(2).dropLast(2)) == [4])
        #expect(events.last == .ended(connection: 0, orderly: true))
        let configuration = String(decoding: peer.configuration, as: UTF8.self)
        for key in ["\"vm_config\"", "\"common_cpuid\"", "\"memory_manager_data\""] {
            #expect(configuration.contains(key), "\(key)")
        }
    }

    @Test func memoryFilesComeBeforeConfig() throws {
        let peer = try StrictDestination()
        let source = try LoneSource(peer.url)

        let result = try source.move {
            $0.offersExtensions = false
            $0.mode = .local
        }
        peer.finish()

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(peer.violations == [])
        #expect(peer.events.commands(on: 0) == [1, 7, 7, 2, 3, 5])
        for slot in [0, 1] as [UInt8] {
            #expect(peer.events.contains(.memoryFile(slot: [slot, 0, 0, 0], descriptors: 1)))
        }
    }

    @Test func additionalConnectionsComeAfterConfigAndCloseBeforeState() throws {
        let peer = try StrictDestination()
        let source = try LoneSource(peer.url)

        let result = try source.move {
            $0.offersExtensions = false
            $0.connections = 3
        }
        peer.finish()

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(peer.violations == [])
        let events = peer.events
        // Which of them are quick enough to get a part of so little is not certain.
        #expect(events.contains { event in (1...3).contains { event.isMemory(on: $0) } })
        let state = try #require(
            events.firstIndex { if case .request(_, 3, _) = $0 { true } else { false } })
        for number in 1...3 {
            #expect(events.contains(.role(connection: number, [1, 0])))
            #expect(Set(events.commands(on: number)).isSubset(of: [4]))
            let isLate = events[state...].contains { $0.isMemory(on: number) }
            #expect(!isLate, "connection \(number)")
        }
    }

    /// One huge table, duplicates of which the last one wins, chunks from any place in any order,
    /// and one Memory more on the main connection just before State.
    @Test func destinationTakesWhatBaseSourcesSend() throws {
        let ends = try TwoEnds(temporarySocket("checklist"))
        var peer = try ends.scriptedSource()
        let state = try ends.source.saveState()
        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)

        let pages = (0..<1024 as Range<UInt64>).reversed()
        let table = pages.flatMap { ScriptedPeer.range($0 * 4096, 4096) }
        try peer.send(ScriptedPeer.request(4, length: table.count) + table)
        for page in pages {
            try peer.send([UInt8](repeating: UInt8(truncatingIfNeeded: page), count: 4096))
        }
        #expect(try peer.receive(16) == ScriptedPeer.ok)
        try peer.exchange(
            ScriptedPeer.request(4, length: 48) + ScriptedPeer.range(0x5000, 4096)
                + ScriptedPeer.range(4 << 30, 4096) + ScriptedPeer.range(0x5000, 4096)
                + [UInt8](repeating: 0xAA, count: 8192) + [UInt8](repeating: 0xBB, count: 4096))
        try peer.exchange(ScriptedPeer.request(4))
        try peer.exchange(
            ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(0x6000, 4096)
                + [UInt8](repeating: 0xCC, count: 4096))
        try peer.exchange(ScriptedPeer.request(3, length: state.count) + state)
        try peer.exchange(ScriptedPeer.request(5))
        peer.channel.close(.abrupt)

        #expect(try ends.destinationResult() == .running)
        let memory = try #require(ends.arrivedMemory)
        #expect(try memory.load(UInt8.self, at: GuestAddress(0x5FFF)) == 0xBB)
        #expect(try memory.load(UInt8.self, at: GuestAddress(4 << 30)) == 0xAA)
        #expect(try memory.load(UInt8.self, at: GuestAddress(0x6FFF)) == 0xCC)
        #expect(try memory.load(UInt8.self, at: GuestAddress(0x3F_F000)) == 0xFF)
    }
}

extension [StrictDestination.Event] {
    /// The commands that came over a connection.
    fileprivate func commands(on number: Int) -> [UInt8] {
        compactMap { event in
            if case .request(number, let command, _) = event { command } else { nil }
        }
    }
}

extension StrictDestination.Event {
    fileprivate func isMemory(on number: Int) -> Bool {
        if case .memory(number, _) = self { true } else { false }
    }
}
