import GuestMemory
import KVM
import Testing

@testable import Machine

/// What the processors of this machine's KVM get.
@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct FeatureRegisterTests {
    private func platform(
        _ change: (inout PlatformConfiguration) -> Void
    ) throws -> Platform {
        var configuration = PlatformConfiguration(processorCount: 2)
        change(&configuration)
        let memory = try GuestRAM(
            layout: PhysicalLayout.regions(memorySize: 4 << 20),
            backing: .sharedFile(hugePages: nil))
        return try Platform(configuration: configuration, memory: memory) { _ in }
    }

    private func values(_ platform: Platform, _ index: UInt32) throws -> [UInt64] {
        try platform.processors.flatMap {
            try $0.hardware.modelSpecificRegisters([index]).map(\.value)
        }
    }

    @Test func baselineHasNothingOfTheHost() throws {
        let platform = try platform { $0.profile = .level1 }
        let vendor = try #require(
            CPUBaseline.Vendor(rawValue: CPUIDTable(platform.cpuid.entries).vendor))
        var found = 0
        for register in FeatureRegisters.ofBaseline(vendor) {
            for value in try values(platform, register.index) {
                #expect(value == register.value, "\(hexadecimal(register.index))")
                found += 1
            }
        }
        // Every KVM knows the microcode's revision.
        #expect(found >= 2)
        let described = platform.featureRegisters
        #expect(
            !described.contains { $0.index == FeatureRegisters.architecturalCapabilities })
    }

    @Test func arrivedRegistersStayWithTheGuest() throws {
        let source = try platform { $0.profile = .level1 }
        let revision = FeatureRegisters.microcodeRevision
        let arrived = GuestRegister(index: revision, value: 0x1234)
        let destination = try platform {
            $0.cpuid = source.cpuid
            $0.registers = [arrived]
        }
        #expect(try values(destination, revision) == [0x1234, 0x1234])
        #expect(destination.featureRegisters.contains(arrived))
    }

    @Test func registersThatThisKVMDoesNotKnowAreRefusedEarly() throws {
        let source = try platform { $0.profile = .level1 }
        #expect(
            throws: PlatformError.refusedRegister(index: 0xdead_0000, value: 1, processor: 0)
        ) {
            _ = try platform {
                $0.cpuid = source.cpuid
                $0.registers = [GuestRegister(index: 0xdead_0000, value: 1)]
            }
        }
    }

    @Test func thisHostIsDescribed() throws {
        let host = try HostProcessor.ofThisHost()
        #expect(host.missingFeatures(for: .host) == [])
        #expect(host.timestampKilohertz != nil)
        #expect(!host.vendor.isEmpty && host.addressBits >= 36)
    }
}
