import ArgumentParser
import Machine

/// `martlet cpu`: which processors this host can offer to guests.
struct CPU: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cpu",
        abstract: "Shows which processor profiles this host can offer.",
        discussion: """
            Examples:
              martlet cpu list
              martlet cpu check x86-64-v3
            """,
        subcommands: [ListProfiles.self, CheckProfile.self])

    /// Asks the kernel; its errors become what the user is told.
    static func host() throws -> HostProcessor {
        do throws(PlatformError) {
            return try HostProcessor.ofThisHost()
        } catch {
            throw CommandFailure(error)
        }
    }
}

/// `martlet cpu list`.
struct ListProfiles: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Lists all profiles, and what this host lacks for each.")

    func run() throws {
        let host = try CPU.host()
        let frequency = host.timestampKilohertz.map { "\($0) kHz" } ?? "an unknown frequency"
        say(
            "\(host.vendor), \(host.addressBits) bits of physical address, time stamp counter at "
                + "\(frequency), \(host.scalesTimestamps ? "can" : "cannot") be scaled")
        for profile in CPUProfile.allCases {
            let missing = host.missingFeatures(for: profile)
            let name = profile.name + String(repeating: " ", count: max(1, 11 - profile.name.count))
            say(name + (missing.isEmpty ? "yes" : "no, lacks " + missing.joined(separator: ", ")))
        }
    }
}

/// `martlet cpu check`.
struct CheckProfile: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Ends with status 0 where this host can offer a profile, with 1 where not.")

    @Argument(
        help: "The profile: host, or x86-64-v1 to x86-64-v4.",
        completion: .list(CPUProfile.allCases.map(\.name)))
    var profile: String

    func run() throws {
        guard let profile = CPUProfile(rawValue: profile.lowercased()) else {
            let names = CPUProfile.allCases.map(\.name).joined(separator: ", ")
            throw ValidationError("There is no profile \(profile); there are \(names).")
        }
        let missing = try CPU.host().missingFeatures(for: profile)
        guard missing.isEmpty else {
            throw CommandFailure(PlatformError.profile(profile, missing: missing))
        }
    }
}
