import ControlAPI
import Glibc
import GuestMemory
import LinuxSystem
import Logging
import Machine
import Synchronization
import Testing

@testable import VMM

// SAFETY: the path is a terminated string for the length of the call.
private let kvmIsAvailable = unsafe access("/dev/kvm", R_OK | W_OK) == 0

/// Devices that come and go in a guest on KVM which does not run, so that each step of it can be
/// taken by itself.
@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct HotPlugTests {
    /// A guest, the notices it gave, and the files of its disks.
    private final class Scene {
        let folder: TemporaryFolder
        init() throws {
            folder = try TemporaryFolder(prefix: "martlet-hotplug")
        }

        func path(_ name: String) -> String { "\(folder.path)/\(name)" }

        func disk(_ name: String) throws -> DiskConfig {
            var disk = DiskConfig()
            disk.path = path(name)
            try OwnedDescriptor(opening: path(name), [.write, .create]).truncate(to: 1 << 20)
            return disk
        }

        /// Whether nobody has the disk.
        func isFree(_ name: String) throws -> Bool {
            let file = try OwnedDescriptor(opening: path(name), .write)
            do throws(SystemError) {
                try file.lock(.exclusive)
                return true
            } catch {
                return false
            }
        }
    }

    private final class Counter: Sendable {
        let count = Atomic(0)
    }

    private func makeGuest(
        _ disks: [DiskConfig], _ ejects: Counter = Counter()
    ) throws -> KVMGuest {
        var configuration = VmConfig()
        var payload = PayloadConfig()
        payload.kernel = "/none"
        configuration.payload = payload
        configuration.memory.size = 4 << 20
        configuration.console.mode = .null
        configuration.disks = disks
        return try makeGuest(configuration, ejects)
    }

    private func makeGuest(
        _ configuration: VmConfig, _ ejects: Counter = Counter()
    ) throws -> KVMGuest {
        let environment = VMMEnvironment(
            queue: try ControlQueue(signals: SignalDescriptor()),
            events: EventSink(monitor: nil),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            allowsPlainTCP: false)
        return try KVMGuest(
            building: configuration, memory: .make(for: configuration.memory), arrived: nil,
            environment
        ) { notice in
            if case .ejected = notice { ejects.count.add(1, ordering: .relaxed) }
        }
    }

    /// Adds a disk as the control thread does.
    private func add(_ disk: DiskConfig, to guest: KVMGuest) throws -> AddedDevice {
        var configuration = guest.configuration
        _ = try configuration.add(disk)
        try configuration.placeDevices()
        let placed = try #require(configuration.disks.last)
        return try guest.add(DeviceFactory.makeDisk(placed), configuration)
    }

    private func vendor(_ guest: KVMGuest, _ slot: UInt8) -> UInt32 {
        guest.bus.readConfiguration(PCIAddress(device: slot), offset: 0, width: 2)
    }

    @Test func everyDeviceGetsANameAndASlot() throws {
        let scene = try Scene()
        let guest = try makeGuest([scene.disk("a"), scene.disk("b")])
        defer { guest.letGo() }
        #expect(guest.configuration.disks.map(\.id) == ["_disk0", "_disk1"])
        #expect(guest.configuration.disks.map(\.slot) == [1, 2])
        #expect(guest.configuration.rng.slot == 3)
        #expect(guest.configuration.console.slot == 4)
        for slot: UInt8 in 1...4 { #expect(vendor(guest, slot) == 0x1AF4) }
        #expect(vendor(guest, 5) == 0xFFFF)
    }

    @Test func ejectedDiskIsInvisibleAtOnceAndClosedByItsOwner() throws {
        let scene = try Scene()
        let ejects = Counter()
        let guest = try makeGuest([scene.disk("a")], ejects)
        defer { guest.letGo() }
        let added = try add(scene.disk("b"), to: guest)
        #expect(added == AddedDevice(id: "_disk1", bdf: "0000:00:04.0"))
        #expect(try !scene.isFree("b"))
        #expect(guest.deviceTree["_disk1"] != nil)

        guest.eject(slot: 4)
        #expect(ejects.count.load(ordering: .relaxed) == 1)
        #expect(vendor(guest, 4) == 0xFFFF)
        #expect(guest.deviceTree["_disk1"] == nil)
        #expect(try !scene.isFree("b"))
        #expect(guest.configuration.disks.map(\.id) == ["_disk0", "_disk1"])

        #expect(guest.removeEjected() == ["_disk1"])
        #expect(try scene.isFree("b"))
        #expect(guest.configuration.disks.map(\.id) == ["_disk0"])
        #expect(guest.removeEjected().isEmpty)
        // Name and place are free for the next one.
        #expect(try add(scene.disk("c"), to: guest) == added)
    }

    @Test(arguments: [0, 2, 3, 5, 31, 32, -1])
    func whatCannotBeEjectedStays(slot: Int) throws {
        let scene = try Scene()
        let ejects = Counter()
        let guest = try makeGuest([scene.disk("a")], ejects)
        defer { guest.letGo() }
        guest.eject(slot: slot)
        #expect(ejects.count.load(ordering: .relaxed) == 0)
        #expect(guest.removeEjected().isEmpty)
        for slot: UInt8 in 0...3 { #expect(vendor(guest, slot) != 0xFFFF) }
    }

    @Test func failedAdditionLeavesNothing() throws {
        let scene = try Scene()
        let guest = try makeGuest([scene.disk("a")])
        defer { guest.letGo() }
        let before = guest.configuration
        var absent = DiskConfig()
        absent.path = scene.path("absent")
        #expect(throws: GuestError.self) { try add(absent, to: guest) }
        #expect(guest.configuration == before)
        #expect(vendor(guest, 4) == 0xFFFF)

        // The last step, the bus, refuses: the disk is closed again.
        var configuration = before
        var taken = try scene.disk("b")
        taken.slot = 2
        taken.id = "b"
        configuration.disks.append(taken)
        #expect(throws: GuestError.self) {
            try guest.add(DeviceFactory.makeDisk(taken), configuration)
        }
        #expect(try scene.isFree("b"))
        #expect(guest.configuration == before)
        #expect(guest.devices.members.count == 3)
    }

    @Test func whatIsEjectedOnTheWayIsNeverOpenedAtTheDestination() throws {
        let scene = try Scene()
        let source = try makeGuest([scene.disk("a"), scene.disk("b")])
        defer { source.letGo() }
        try source.devices.bind()
        try source.devices.takeOver(nil)
        // The description leaves first, as in a migration; then the guest ejects.
        let description = try source.describe()
        source.eject(slot: 2)
        let state = try source.saveState()
        let backends = try source.release()
        #expect(try scene.isFree("a"))

        let configuration = try JSONBody.decode(VmConfig.self, from: description.configuration)
        #expect(configuration.disks.map(\.id) == ["_disk0", "_disk1"])
        let destination = try makeGuest(configuration)
        defer { destination.letGo() }
        try destination.loadState(state)
        #expect(vendor(destination, 2) == 0xFFFF)
        try destination.takeOver(backends)
        #expect(try !scene.isFree("a"))
        // Still the source's, which closes it when it ends.
        source.letGo()
        #expect(try scene.isFree("b"))
        #expect(destination.removeEjected() == ["_disk1"])
        #expect(destination.configuration.disks.map(\.id) == ["_disk0"])
        #expect(vendor(destination, 1) == 0x1AF4)
    }

    @Test func guestThatComesBackCarriesTheEjectOut() throws {
        let scene = try Scene()
        let guest = try makeGuest([scene.disk("a"), scene.disk("b")])
        defer { guest.letGo() }
        try guest.devices.bind()
        try guest.devices.takeOver(nil)
        _ = try guest.describe()
        guest.eject(slot: 2)
        _ = try guest.release()
        try guest.reclaim()
        #expect(try !scene.isFree("a"))
        #expect(guest.removeEjected() == ["_disk1"])
        #expect(try scene.isFree("b"))
    }

    @Test func devicesThatWereAskedForDoNotComeBackAfterAReset() throws {
        let scene = try Scene()
        let guest = try makeGuest([scene.disk("a"), scene.disk("b")])
        defer { guest.letGo() }
        try guest.devices.bind()
        guest.requestRemoval(of: "_disk0")
        guest.requestRemoval(of: "nobody")
        #expect(guest.configuration.disks.count == 2)
        #expect(guest.configurationAtReset.disks.map(\.id) == ["_disk1"])
        #expect(guest.configurationAtReset.disks.map(\.slot) == [2])

        // The wish travels with the guest.
        let destination = try makeGuest(guest.configuration)
        defer { destination.letGo() }
        try destination.loadState(guest.saveState())
        #expect(destination.configurationAtReset.disks.map(\.id) == ["_disk1"])
        destination.eject(slot: 2)
        #expect(destination.configurationAtReset.disks.isEmpty)
    }
}
