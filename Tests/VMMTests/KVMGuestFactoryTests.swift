import ControlAPI
import Glibc
import GuestMemory
import LinuxSystem
import Logging
import Machine
import Testing

@testable import VMM

// SAFETY: the path is a terminated string for the length of the call.
private let kvmIsAvailable = unsafe access("/dev/kvm", R_OK | W_OK) == 0

@Suite struct KVMGuestFactoryTests {
    private func makeEnvironment() throws -> VMMEnvironment {
        VMMEnvironment(
            queue: try ControlQueue(signals: SignalDescriptor()),
            events: EventSink(monitor: nil),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            allowsPlainTCP: false)
    }

    /// A guest with 4 MiB of RAM, as a source describes it.
    private func describe(
        components: [ComponentVersion] = KVMGuest.components, isShared: Bool = true
    ) -> GuestDescription {
        var configuration = VmConfig()
        var payload = PayloadConfig()
        payload.kernel = "/none"
        configuration.payload = payload
        configuration.memory.size = 4 << 20
        configuration.memory.shared = isShared
        return GuestDescription(
            configuration: JSONBody.encode(configuration), cpuid: [],
            regions: PhysicalLayout.regions(memorySize: 4 << 20), components: components)
    }

    /// Why the factory refuses, empty when it does not.
    private func refusal(
        of description: GuestDescription, _ memory: consuming IncomingMemory = .copied
    ) throws -> String {
        let factory = KVMGuestFactory(environment: try makeEnvironment(), handler: { _ in })
        do throws(HardwareError) {
            _ = try factory.configure(description, memory: memory)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func unknownComponentIsRefusedByName() throws {
        let unknown = ComponentVersion(name: "warp-drive", version: 1)
        #expect(
            try refusal(of: describe(components: KVMGuest.components + [unknown]))
                .contains("warp-drive"))
    }

    @Test func newerVersionIsRefusedByName() throws {
        let known = try #require(KVMGuest.components.first)
        let newer = ComponentVersion(name: known.name, version: known.version + 1)
        let reason = try refusal(of: describe(components: [newer]))
        #expect(reason.contains(known.name))
        #expect(reason.contains("update the destination first"))
    }

    @Test func memoryThatLiesElsewhereIsRefused() throws {
        var description = describe()
        description.regions = PhysicalLayout.regions(memorySize: 8 << 20)
        #expect(try refusal(of: description).contains("memory otherwise"))
    }

    @Test(arguments: ["", "{", "[]", #"{"warp":1}"#, #"{"memory":{"size":1}}"#])
    func configurationThatIsNoneIsRefused(text: String) throws {
        var description = describe()
        description.configuration = Array(text.utf8)
        #expect(try refusal(of: description).contains("configuration is refused"))
    }

    @Test func privateMemoryCannotBeHandedOver() throws {
        let reason = try refusal(of: describe(isShared: false), .passed(PassedMemory()))
        #expect(reason.contains("private"))
    }

    @Test func slotWithoutAFileIsRefused() throws {
        #expect(try !refusal(of: describe(), .passed(PassedMemory())).isEmpty)
    }

    @Test(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
    func guestOfThisVersionIsBuilt() throws {
        let description = describe()
        let configuration = try JSONBody.decode(VmConfig.self, from: description.configuration)
        let source = try KVMGuest(
            building: configuration, memory: .make(for: configuration.memory), arrived: nil,
            makeEnvironment(), handler: { _ in })
        defer { source.letGo() }
        #expect(try refusal(of: source.describe()).isEmpty)
    }
}
