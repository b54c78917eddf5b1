/// What the processors of a guest are: those of its host, or a baseline that many hosts share.
///
/// A baseline is a level of the x86-64 psABI with everything virtual that a guest's kernel wants.
/// It answers CPUID the same on every host of a vendor, so that guests can move between unlike
/// hosts. `CPUBaseline` has the tables.
public enum CPUProfile: String, CaseIterable, Sendable {
    /// Everything that the host has and whose state can be saved.
    case host
    /// Every 64-bit processor.
    case level1 = "x86-64-v1"
    /// Servers from about 2009 on.
    case level2 = "x86-64-v2"
    /// Servers from about 2015 on: AVX2.
    case level3 = "x86-64-v3"
    /// Servers with AVX-512.
    case level4 = "x86-64-v4"

    /// Its name, as in configurations.
    public var name: String { rawValue }

    /// What it shows the guest; nil for what the host has.
    var baseline: CPUBaseline? {
        switch self {
        case .host: nil
        case .level1: .level1
        case .level2: .level2
        case .level3: .level3
        case .level4: .level4
        }
    }
}
