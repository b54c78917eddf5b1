// swift-tools-version: 6.2
import PackageDescription

/// `Tools/fuzz` sets it: then all modules are instrumented and the targets under `Fuzz/` exist.
let isFuzzing = Context.environment["MARTLET_FUZZ"] != nil

/// Leaves out what needs BoringSSL, which takes minutes to build, and with it the VMM and the
/// command line: enough for the unit tests of all other modules.
let isWithoutTLS = Context.environment["MARTLET_WITHOUT_TLS"] != nil

/// One set of rules for every Swift target; see `docs/architecture.md`.
let strict: [SwiftSetting] =
    [
        .strictMemorySafety(),
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (isFuzzing ? [.unsafeFlags(["-sanitize=fuzzer"])] : [])

/// The linker of the toolchain instead of the host's.
let link: [LinkerSetting] = [.unsafeFlags(["-use-ld=lld"])]

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let argumentParser: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")

/// Modules from the lowest up. A module imports only from those above it in this list.
let modules: [Target] = [
    .target(name: "CLinux"),
    module("StateCoding", []),
    module("LinuxSystem", ["CLinux"]),
    // Linked into the program, as CContents is below.
    .target(name: "CSeccomp", linkerSettings: [.linkedLibrary(":libseccomp.a")]),
    module("Confinement", ["CLinux", "CSeccomp", "LinuxSystem"]),
    module("KVM", ["CLinux", "LinuxSystem"]),
    module("GuestMemory", ["LinuxSystem"]),
    module("Machine", ["StateCoding", "LinuxSystem", "KVM", "GuestMemory"]),
    module("Virtio", ["StateCoding", "LinuxSystem", "GuestMemory", "Machine"]),
    // Linked into the program: it then runs on hosts that lack these libraries.
    .target(
        name: "CContents",
        linkerSettings: [.linkedLibrary(":libzstd.a"), .linkedLibrary(":liblz4.a")]),
    module("ContentCoding", ["LinuxSystem", "CContents"]),
    module("MigrationProtocol", []),
    module("Transport", ["LinuxSystem"]),
    module(
        "TransportTLS",
        [
            "LinuxSystem", "Transport",
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOTLS", package: "swift-nio"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ]),
    module(
        "Migration",
        [
            "StateCoding", "LinuxSystem", "GuestMemory", "Machine", "ContentCoding",
            "MigrationProtocol", "Transport", log,
        ]),
    module(
        "ControlAPI",
        [
            "LinuxSystem", log,
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOEmbedded", package: "swift-nio"),
            .product(name: "NIOHTTP1", package: "swift-nio"),
        ]),
    module(
        "VMM",
        [
            "StateCoding", "LinuxSystem", "Confinement", "KVM", "GuestMemory", "Machine", "Virtio",
            "MigrationProtocol", "Transport", "TransportTLS", "Migration", "ControlAPI", log,
        ]),
    module("Report", ["ControlAPI"]),
    module("Harness", ["LinuxSystem", "ControlAPI"]),
    .executableTarget(
        name: "martlet",
        dependencies: [
            "LinuxSystem", "Confinement", "Machine", "Migration", "ControlAPI", "VMM", "Report",
            "Harness", argumentParser, log,
        ],
        swiftSettings: strict, linkerSettings: link),
    .executableTarget(
        name: "MartletBench",
        dependencies: [
            "LinuxSystem", "GuestMemory", "Machine", "Transport", "Migration", "ControlAPI",
            "Harness", argumentParser,
        ],
        path: "Benchmarks/MartletBench", swiftSettings: strict, linkerSettings: link),
]

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// A test target for each module, which may use all modules below it.
func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.init(stringLiteral: name)] + dependencies,
        exclude: exclude, swiftSettings: strict)
}

/// A program that libFuzzer drives; see `docs/testing.md`.
func fuzz(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Fuzz/\(name)",
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])],
        linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])])
}

let fuzzTargets: [Target] = [
    fuzz("APIFuzz", ["ControlAPI"]),
    fuzz("DeviceFuzz", ["Virtio"]),
    fuzz("WireFuzz", ["MigrationProtocol", "Migration"]),
]

/// What needs `TransportTLS`.
let protectedTargets = [
    "TransportTLS", "VMM", "martlet", "MartletBench", "TransportTLSTests", "VMMTests",
]

let testTargets: [Target] = [
    // Does what a filter allows or denies, in a process that may end by it.
    .executableTarget(
        name: "FilterProbe", dependencies: ["CLinux", "LinuxSystem", "Confinement"],
        path: "Tests/FilterProbe", swiftSettings: strict, linkerSettings: link),
    tests("StateCoding", []),
    tests("LinuxSystem", ["CLinux"]),
    tests("Confinement", ["CSeccomp", "LinuxSystem", "Harness", "FilterProbe"]),
    tests("KVM", ["LinuxSystem", "CLinux"]),
    tests("GuestMemory", ["LinuxSystem"]),
    tests("Machine", ["StateCoding", "LinuxSystem", "KVM", "GuestMemory"]),
    tests("Virtio", ["StateCoding", "LinuxSystem", "GuestMemory", "Machine"]),
    tests("ContentCoding", ["LinuxSystem"]),
    tests("MigrationProtocol", [], exclude: ["Vectors"]),
    tests("Transport", ["LinuxSystem"]),
    tests("TransportTLS", ["LinuxSystem", "Transport", "Harness"]),
    tests(
        "Migration",
        [
            "StateCoding", "LinuxSystem", "GuestMemory", "Machine", "ContentCoding",
            "MigrationProtocol", "Transport", log,
        ], exclude: ["Golden"]),
    tests("ControlAPI", ["LinuxSystem", log]),
    tests("Report", ["LinuxSystem", "ControlAPI", "Harness"]),
    tests("Harness", ["LinuxSystem"]),
    .testTarget(
        name: "IntegrationTests",
        dependencies: ["LinuxSystem", "MigrationProtocol", "ControlAPI", "Harness"],
        swiftSettings: strict),
    tests(
        "VMM",
        [
            "StateCoding", "LinuxSystem", "KVM", "GuestMemory", "Machine", "Virtio",
            "MigrationProtocol", "Transport", "Migration", "ControlAPI", log,
        ]),
]

let package = Package(
    name: "martlet",
    products: isWithoutTLS ? [] : [.executable(name: "martlet", targets: ["martlet"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    ],
    targets: (modules + (isFuzzing ? fuzzTargets : []) + testTargets).filter {
        !isWithoutTLS || !protectedTargets.contains($0.name)
    },
    swiftLanguageModes: [.v6]
)
