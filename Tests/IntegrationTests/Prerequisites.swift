import Glibc
import Testing

/// What these tests need of the machine and of the build.
enum Prerequisites {
    /// Path of `martlet`: `MARTLET_BINARY`, or what was built last in this checkout.
    static let executable = path(
        environment: "MARTLET_BINARY", builtAt: [".build/debug/martlet", ".build/release/martlet"],
        mode: X_OK)

    /// Path of the test guest: `MARTLET_GUEST`, or what `make nestling` has built.
    static let guest = path(
        environment: "MARTLET_GUEST", builtAt: [".build/nestling/nestling.elf"], mode: R_OK)

    /// Whether guests can run.
    static let hasKVM = isAccessible("/dev/kvm", R_OK | W_OK)

    /// Whether network namespaces and taps can be made.
    static let hasNetworks = isAccessible("/dev/net/tun", R_OK | W_OK) && geteuid() == 0

    private static func path(
        environment variable: String, builtAt places: [String], mode: Int32
    ) -> String? {
        if let value = unsafe getenv(variable) { return unsafe String(cString: value) }
        // Tests/IntegrationTests/<this file> below the root of the checkout.
        let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
        return places.map { "\(root)/\($0)" }.first { isAccessible($0, mode) }
    }

    private static func isAccessible(_ path: String, _ mode: Int32) -> Bool {
        unsafe access(path, mode) == 0
    }
}

extension Trait where Self == ConditionTrait {
    /// For tests that start VMM processes.
    static var needsExecutable: Self {
        .enabled(
            if: Prerequisites.executable != nil,
            "needs martlet: swift build, or MARTLET_BINARY=<path>")
    }

    /// For tests that boot the test guest.
    static var needsGuest: Self {
        .enabled(
            if: Prerequisites.hasKVM && Prerequisites.guest != nil,
            "needs /dev/kvm, and the test guest: make nestling, or MARTLET_GUEST=<path>")
    }

    /// For tests with TCP or taps, which are in a network namespace of their own.
    static var needsNetwork: Self {
        .enabled(
            if: Prerequisites.hasNetworks,
            "needs network namespaces and taps: root, and /dev/net/tun")
    }
}
