public import GuestMemory
public import LinuxSystem
public import StateCoding

/// Why the platform could not be built, run, saved or restored.
public enum PlatformError: Error, Equatable, Sendable {
    /// The kernel refused.
    case system(SystemError)

    /// Guest memory could not be made or accessed.
    case memory(GuestMemoryError)

    /// The kernel cannot be loaded.
    case boot(BootError)

    /// An interrupt or a doorbell could not be set up.
    case interrupt(InterruptError)

    /// Two devices want the same addresses.
    case bus(BusError)

    /// Saved state cannot be read.
    case state(StateError)

    /// A guest has 1 to `limit` processors.
    case processorCount(Int, limit: Int)

    /// This KVM lacks something without which nothing runs.
    case missingCapability(String)

    /// The guest wants rings of written pages, and this KVM has none.
    case missingDirtyRings

    /// The guest wants rings of written pages, and those of this KVM lose some.
    case unreliableDirtyRings

    /// Processors here have too few address bits for so much RAM.
    case addressBits(Int, needed: UInt64)

    /// The guest was told of features that this host does not have.
    case missingFeatures([String])

    /// This host lacks what a profile for processors needs.
    case profile(CPUProfile, missing: [String])

    /// This host refuses the value of a model-specific register that the guest has.
    case refusedRegister(index: UInt32, value: UInt64, processor: UInt32)

    /// The processors here cannot run at the frequency of the guest's time stamp counter.
    case timestampFrequency(kilohertz: UInt32, host: UInt32, SystemError)

    /// The processors run, and must not for what was asked.
    case running(operation: String)
}

extension PlatformError: CustomStringConvertible {
    /// One sentence: the object, what failed, what can be done.
    public var description: String {
        switch self {
        case .system(let cause): cause.description
        case .memory(let cause): cause.description
        case .boot(let cause): cause.description
        case .interrupt(let cause): cause.description
        case .bus(let cause): cause.description
        case .state(let cause): cause.description
        case .processorCount(let count, let limit):
            "A guest cannot have \(count) processors; it has 1 to \(limit) on this host"
        case .missingCapability(let name):
            "/dev/kvm does not offer \(name), without which no guest can run; use a newer kernel"
        case .missingDirtyRings:
            "/dev/kvm of this host has no rings of written pages; use dirty_tracking=log, or a newer "
                + "kernel"
        case .unreliableDirtyRings:
            "The rings of written pages of /dev/kvm on this host overflow, and written pages are "
                + "lost: a guest could not be moved whole; use dirty_tracking=log, or another kernel"
        case .addressBits(let bits, let needed):
            "The processors of this host have \(bits) bits of physical address, too few for RAM "
                + "and devices up to \(hexadecimal(needed)); give the guest less memory"
        case .missingFeatures(let names):
            "This host lacks processor features that the guest was given: "
                + names.joined(separator: ", ") + "; use a host with them"
        case .profile(let profile, let missing):
            "This host cannot offer the processors of profile \(profile.name), because it lacks "
                + missing.joined(separator: ", ")
                + "; choose a profile that `martlet cpu list` shows, or another host"
        case .refusedRegister(let index, let value, let processor):
            "Processor \(processor) cannot take over model-specific register "
                + "\(hexadecimal(index)) with the value \(hexadecimal(value)): this host refuses "
                + "it; use a host with the same features"
        case .timestampFrequency(let kilohertz, let host, let cause):
            "The guest's time stamp counter runs at \(kilohertz) kHz and this host's at "
                + "\(host) kHz: \(cause)"
        case .running(let operation):
            "Cannot \(operation): the processors are running; pause the guest first"
        }
    }
}

/// Turns errors of the layers below into those of the platform.
func platform<Value: ~Copyable>(
    _ body: () throws(SystemError) -> Value
) throws(PlatformError) -> Value {
    do throws(SystemError) { return try body() } catch { throw .system(error) }
}
