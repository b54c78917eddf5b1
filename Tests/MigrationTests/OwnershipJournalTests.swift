import LinuxSystem
import MigrationProtocol
import Testing

@testable import Migration

@Suite struct OwnershipJournalTests {
    private let folder: TemporaryFolder
    private let token: SessionToken
    private var path: String { folder.path + "/journal" }

    init() throws {
        folder = try TemporaryFolder(prefix: "martlet-journal")
        token = .random()
    }

    private func write(_ bytes: [UInt8]) throws {
        try OwnedDescriptor(opening: path, [.write, .create, .truncate]).writeAll(bytes)
    }

    private func bytes() throws -> [UInt8] {
        try OwnedDescriptor(opening: path).readAll(maximum: 8 << 20)
    }

    @Test func whatWasWrittenIsReadAfterTheVMMIsGone() throws {
        do {
            let journal = try OwnershipJournal(path: path)
            try journal.append(JournalRecord(.givingAway, of: token, "tcp:192.0.2.7:4444"))
            try journal.append(JournalRecord(.gaveAway, of: token, "a\nb"))
            try journal.append(JournalRecord(.takingOver, of: nil, ""))
        }
        let again = try OwnershipJournal(path: path)
        try again.append(JournalRecord(.refused, of: nil, "no"))

        let contents = try JournalContents(readingFrom: path)
        #expect(
            contents.records.map(\.decision) == [.givingAway, .gaveAway, .takingOver, .refused])
        #expect(contents.records[0].detail == "tcp:192.0.2.7:4444")
        #expect(contents.records[1].detail == "a b")
        #expect(contents.conclusions.map(\.decision) == [.gaveAway, .refused])
        #expect(contents.damagedLines == [])
        #expect(contents.tornBytes == 0)
    }

    @Test func theTokenIsNotInTheJournal() throws {
        let record = JournalRecord(.givingAway, of: token, "")
        let digits = token.encoded.map { String($0, radix: 16) }.joined()

        #expect(!digits.contains(record.migration))
        #expect(record.migration == JournalRecord(.gaveAway, of: token, "").migration)
        #expect(record.migration != JournalRecord(.gaveAway, of: .random(), "").migration)
    }

    @Test func aRecordThatWasCutOffAnywhereIsDroppedAndTheJournalGoesOn() throws {
        let first = JournalRecord(.givingAway, of: token, "there").encoded
        let second = JournalRecord(.gaveAway, of: token, "there").encoded
        for length in 1..<second.count {
            try write(first + second.prefix(length))
            #expect(try JournalContents(readingFrom: path).tornBytes == length)

            let journal = try OwnershipJournal(path: path)
            try journal.append(JournalRecord(.tookBack, of: token, ""))

            let contents = try JournalContents(readingFrom: path)
            #expect(contents.records.map(\.decision) == [.givingAway, .tookBack])
            #expect(contents.tornBytes == 0)
        }
    }

    @Test func aJournalThatIsDamagedInTheMiddleIsRefusedAndKept() throws {
        var damaged = JournalRecord(.givingAway, of: token, "there").encoded
        damaged[30] ^= 1
        let whole = damaged + JournalRecord(.gaveAway, of: token, "there").encoded
        try write(whole)

        #expect(throws: JournalError.damaged(path: path, line: 1)) {
            _ = try OwnershipJournal(path: path)
        }
        #expect(try bytes() == whole)
        let contents = try JournalContents(readingFrom: path)
        #expect(contents.damagedLines == [1])
        #expect(contents.records.map(\.decision) == [.gaveAway])
    }

    @Test func twoVMMsCannotShareAJournal() throws {
        let first = try OwnershipJournal(path: path)

        let error = #expect(throws: JournalError.self) {
            _ = try OwnershipJournal(path: path)
        }
        guard case .inUse? = error else {
            Issue.record("\(error as Any)")
            return
        }
        _ = first
    }

    @Test(arguments: ["/nowhere/journal", "/tmp", "/dev/full"])
    func whatCannotBeAJournalIsAnErrorThatNamesIt(path: String) throws {
        let error = #expect(throws: JournalError.self) {
            _ = try OwnershipJournal(path: path)
        }
        #expect(error?.description.contains(path) == true)
    }

    @Test func aDiskThatIsFullLeavesNoPartOfARecord() throws {
        let file = try MemoryFile(name: "journal", size: 0)
        let journal = try OwnershipJournal(path: "/proc/self/fd/\(file.descriptor.rawValue)")
        try journal.append(JournalRecord(.givingAway, of: token, "there"))
        let before = try file.descriptor.regularFileSize
        try file.add(.grow)

        #expect(throws: JournalError.self) {
            try journal.append(JournalRecord(.gaveAway, of: token, "there"))
        }
        #expect(try file.descriptor.regularFileSize == before)
    }

    @Test func aLargeJournalIsShortenedToWhatMatters() throws {
        let doubt = JournalRecord(.inDoubt, of: .random(), "unknown")
        let other = JournalRecord(.gaveAway, of: .random(), "there").encoded
        let count = OwnershipJournal.ampleBytes / other.count + 1
        try write(doubt.encoded + (0..<count).flatMap { _ in other })
        let journal = try OwnershipJournal(path: path)

        // In the middle of a migration nothing is shortened.
        try journal.append(JournalRecord(.givingAway, of: token, ""))
        #expect(try bytes().count > OwnershipJournal.ampleBytes)
        try journal.append(JournalRecord(.offered, of: token, "to there"))
        try journal.append(JournalRecord(.gaveAway, of: token, "there"))

        #expect(try bytes().count < OwnershipJournal.ampleBytes)
        let contents = try JournalContents(readingFrom: path)
        #expect(contents.records.first == doubt)
        #expect(
            contents.records.suffix(3).map(\.decision) == [.givingAway, .offered, .gaveAway])
        #expect(throws: JournalError.self) { _ = try OwnershipJournal(path: path) }
    }

    @Test func aJournalThatCannotBeShortenedEndsAtAMigrationsBeginning() throws {
        let line = JournalRecord(.gaveAway, of: .random(), "there").encoded
        let count = OwnershipJournal.maximumBytes / line.count + 1
        try write((0..<count).flatMap { _ in line })
        // What stands there cannot be opened as a file.
        let socket = try StreamListener(path: path + ".new")
        let journal = try OwnershipJournal(path: path)

        let error = #expect(throws: JournalError.self) {
            try journal.append(JournalRecord(.offered, of: token, ""))
        }
        guard case .tooLarge? = error else {
            Issue.record("\(error as Any)")
            return
        }
        // What is under way is written down all the same.
        try journal.append(JournalRecord(.tookBack, of: token, ""))
        #expect(socket.descriptor.rawValue >= 0)
    }

    @Test func timesAreThoseOfTheCalendar() {
        #expect("\(UTCTime(seconds: 0))" == "1970-01-01T00:00:00Z")
        #expect("\(UTCTime(seconds: 951_782_399))" == "2000-02-28T23:59:59Z")
        #expect("\(UTCTime(seconds: 951_782_400))" == "2000-02-29T00:00:00Z")
        #expect("\(UTCTime(seconds: 1_763_740_800))" == "2025-11-21T16:00:00Z")
        #expect("\(UTCTime(seconds: .max))" == "9999-12-31T23:59:59Z")
    }
}
