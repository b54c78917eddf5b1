import Testing

@testable import ControlAPI

@Suite struct OptionCompletionTests {
    /// Whoever takes what is offered is not refused.
    @Test func offeredValuesAreAccepted() throws {
        try check(DiskConfig.self)
        try check(NetConfig.self)
        try check(MemoryConfig.self)
        try check(CpusConfig.self)
        try check(SendMigrationData.self)
        try check(ResolveMigrationData.self)
    }

    @Test func aListOfSupportedValuesLimitsWhatIsOffered() {
        let offered = OptionCompletion(of: DiskConfig.self).candidates(for: "image_type=")
        #expect(Set(offered) == ["image_type=raw", "image_type=unknown"])
    }

    private func check<Object: OptionObject>(_ object: Object.Type) throws {
        let completion = OptionCompletion(of: object)
        for key in completion.candidates(for: "") {
            for offered in completion.candidates(for: key) where offered != key {
                let entry = try #require(
                    OptionString(offered, option: Object.optionName).entries.first)
                let field = try #require(
                    Object.fields.first { $0.optionKeys.contains(entry.key) })
                var value = Object()
                #expect(throws: Never.self) { try field.parse(&value, entry) }
            }
        }
    }
}
