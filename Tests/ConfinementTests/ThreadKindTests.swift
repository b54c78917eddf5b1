import LinuxSystem
import Testing

/// A thread without a kind starts where there are no filters, as in most unit tests, and is refused
/// in a VMM, which may go on without what it was for.
@Suite struct ThreadKindTests {
    /// Modules whose threads run in a VMM, and what of them does not.
    private static let modules = [
        "ControlAPI", "GuestMemory", "Machine", "Migration", "Transport", "TransportTLS", "VMM",
        "Virtio",
    ]
    private static let elsewhere = ["/Simulation/", "/Measurement/", "/Fuzzing/"]

    @Test(arguments: modules)
    func everyThreadOfAVMMIsOfAKind(module: String) throws {
        // Tests/ConfinementTests/<this file> below the root of the checkout.
        let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
        let sources = DirectoryWalk.files(below: "\(root)/Sources/\(module)")
        try #require(!sources.isEmpty)
        for path in sources where !Self.elsewhere.contains(where: path.contains) {
            let file = try OwnedDescriptor(opening: path)
            let text = String(decoding: try file.readAll(maximum: 1 << 20), as: UTF8.self)
            for call in text.split(separator: "WorkerThread(", omittingEmptySubsequences: false)
                .dropFirst()
            {
                let arguments = call.prefix { $0 != "{" }
                guard arguments.contains("name:") else { continue }
                #expect(arguments.contains("kind:"), "WorkerThread(\(arguments) in \(path)")
            }
        }
    }
}
