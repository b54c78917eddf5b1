/// What the processors of a host and its KVM can give to guests.
public struct HostProcessor: Hashable, Sendable {
    /// What KVM_GET_SUPPORTED_CPUID answers.
    public var supported: [CPUIDEntry]

    /// The frequency of the time stamp counters in kHz, if it is known.
    public var timestampKilohertz: UInt32?

    /// Whether guests can have counters of another frequency than the host's.
    public var scalesTimestamps: Bool

    /// Whether the kernel's local APIC has the TSC-deadline timer, which the supported leaves do
    /// not tell.
    public var hasDeadlineTimer: Bool

    /// The values of the registers that tell what the processors can do.
    public var featureRegisters: [GuestRegister]

    /// Collects the parts.
    public init(
        supported: [CPUIDEntry], timestampKilohertz: UInt32?, scalesTimestamps: Bool = false,
        hasDeadlineTimer: Bool = true, featureRegisters: [GuestRegister] = []
    ) {
        self.supported = supported
        self.timestampKilohertz = timestampKilohertz
        self.scalesTimestamps = scalesTimestamps
        self.hasDeadlineTimer = hasDeadlineTimer
        self.featureRegisters = featureRegisters
    }

    /// The maker's name, as in CPUID.
    public var vendor: String { CPUIDTable(supported).vendor }

    /// Bits of a physical address.
    public var addressBits: Int { Int(CPUIDTable(supported).addressBits) }

    /// What CPUID answers in a new guest.
    ///
    /// - Parameters:
    ///   - processorCount: processors of the guest, from 1 to 254.
    ///   - maximumAddressBits: an upper limit for the bits of a physical address.
    /// - Throws: when the profile cannot be offered here, with the names of what is missing.
    public func cpuid(
        profile: CPUProfile, processorCount: Int, maximumAddressBits: Int? = nil
    ) throws(PlatformError) -> GuestCPUID {
        let host = hostCPUID(processorCount: processorCount)
        var cpuid = host
        if let baseline = profile.baseline {
            guard let vendor = CPUBaseline.Vendor(rawValue: vendor) else {
                throw .profile(profile, missing: [Self.needsKnownVendor(self.vendor)])
            }
            cpuid = GuestCPUID(
                baseline: baseline, vendor: vendor, processorCount: processorCount,
                timestampKilohertz: timestampKilohertz)
        }
        cpuid = cpuid.limited(addressBits: maximumAddressBits)
        let missing = cpuid.missingFeatures(on: host)
        guard missing.isEmpty else { throw .profile(profile, missing: missing) }
        return cpuid
    }

    /// What this host lacks for new guests with a profile, by name; empty where it can be
    /// offered.
    public func missingFeatures(for profile: CPUProfile) -> [String] {
        do throws(PlatformError) {
            _ = try cpuid(profile: profile, processorCount: 1)
            return []
        } catch {
            guard case .profile(_, let missing) = error else { return [error.description] }
            return missing
        }
    }

    /// What this host lacks for a guest from elsewhere, by name; empty when it can run here.
    ///
    /// - Parameters:
    ///   - guest: the leaves that came with it.
    ///   - registers: its registers that tell what processors can do.
    public func missingFeatures(
        for guest: GuestCPUID, registers: [GuestRegister] = [], processorCount: Int = 1
    ) -> [String] {
        guest.missingFeatures(on: hostCPUID(processorCount: processorCount))
            + missingFrequency(for: guest)
            + FeatureRegisters.missing(from: featureRegisters, in: registers)
    }

    private func hostCPUID(processorCount: Int) -> GuestCPUID {
        GuestCPUID(
            supported: supported, processorCount: processorCount,
            timestampKilohertz: timestampKilohertz, hasDeadlineTimer: hasDeadlineTimer)
    }

    /// How far KVM lets a frequency be from the host's before it scales, in millionths.
    /// Source: Linux `arch/x86/kvm/x86.c`, `tsc_tolerance_ppm`.
    private static let frequencyTolerance: UInt64 = 250

    /// The counter's frequency is part of what a guest has measured: it stays for its life. KVM
    /// without scaling only imitates a faster one, slowly, and refuses a slower one.
    private func missingFrequency(for guest: GuestCPUID) -> [String] {
        guard !scalesTimestamps, let host = timestampKilohertz,
            let wanted = CPUIDTable(guest.entries).timestampKilohertz
        else { return [] }
        let distance = UInt64(host > wanted ? host - wanted : wanted - host)
        guard distance * 1_000_000 > UInt64(host) * Self.frequencyTolerance else { return [] }
        return [
            "a time stamp counter of \(wanted) kHz (it runs at \(host) kHz, and these processors "
                + "or their KVM cannot scale it)"
        ]
    }

    private static func needsKnownVendor(_ vendor: String) -> String {
        let known = CPUBaseline.Vendor.allCases.map(\.rawValue).joined(separator: " or ")
        return "processors of a vendor with baselines (\(known), not \(vendor))"
    }
}
