import StateCoding
import Testing
import Virtio

@testable import VMM

@Suite struct DeviceSetTests {
    /// Three devices, the last of which fails at a step.
    private func devices(failingAt step: String, _ recording: Recording) -> DeviceSet {
        DeviceSet(numbering: [
            RecordingDevice("a", recording), RecordingDevice("b", recording),
            RecordingDevice("c", recording, failsAt: step),
        ])
    }

    @Test func failedBindLetsGoOfThoseBeforeInReverse() {
        let recording = Recording()
        let devices = devices(failingAt: "bind", recording)
        #expect(throws: DeviceError.unbound(device: "c")) { try devices.bind() }
        #expect(recording.steps == ["a.bind", "b.bind", "c.bind", "b.letGo", "a.letGo"])
    }

    @Test func failedTakeoverLetsGoOfThoseBeforeInReverse() {
        let recording = Recording()
        let devices = devices(failingAt: "takeOver", recording)
        #expect(throws: DeviceError.unbound(device: "c")) { try devices.takeOver(nil) }
        #expect(
            recording.steps == ["a.takeOver", "b.takeOver", "c.takeOver", "b.letGo", "a.letGo"])
    }

    @Test func failedResumeQuiescesThoseBeforeInReverse() {
        let recording = Recording()
        let devices = devices(failingAt: "resume", recording)
        #expect(throws: DeviceError.unbound(device: "c")) { try devices.resume() }
        #expect(recording.steps == ["a.resume", "b.resume", "c.resume", "b.quiesce", "a.quiesce"])
    }

    @Test func failedReleaseReclaimsThoseBeforeInReverse() {
        let recording = Recording()
        let devices = devices(failingAt: "release", recording)
        #expect(throws: DeviceError.unbound(device: "c")) { _ = try devices.release() }
        #expect(
            recording.steps == ["a.release", "b.release", "c.release", "b.reclaim", "a.reclaim"])
    }

    @Test func reclaimTriesAllAndTellsTheFirstFailure() {
        let recording = Recording()
        let devices = DeviceSet(numbering: [
            RecordingDevice("a", recording, failsAt: "reclaim"), RecordingDevice("b", recording),
            RecordingDevice("c", recording, failsAt: "reclaim"),
        ])
        #expect(throws: DeviceError.unbound(device: "a")) { try devices.reclaim() }
        #expect(recording.steps == ["a.reclaim", "b.reclaim", "c.reclaim"])
    }

    @Test func takeoverGivesEachDeviceItsOwnState() throws {
        let recording = Recording()
        let devices = DeviceSet(numbering: [
            RecordingDevice("a", recording), RecordingDevice("b", recording),
        ])
        try devices.takeOver(["b": [1, 2]])
        #expect(recording.steps == ["a.takeOver[]", "b.takeOver[1, 2]"])
    }

    @Test func countersAreThoseOfDevicesThatCount() {
        let devices = DeviceSet(numbering: [
            RecordingDevice("a", Recording()),
            RecordingDevice("b", Recording(), counters: [DeviceCounter("read_ops", 3)]),
        ])
        #expect(devices.counters == ["b": ["read_ops": 3]])
    }
}

extension DeviceSet {
    /// Devices in the slots from 1 on.
    fileprivate convenience init(numbering devices: [RecordingDevice]) {
        self.init(devices.enumerated().map { Member($1, slot: $0 + 1) })
    }
}

/// Devices that the guest ejects, and those that come and go.
@Suite struct DeviceSetMembershipTests {
    @Test func ejectedDeviceIsQuietAtOnceAndTakesNoOtherStep() throws {
        let recording = Recording()
        let devices = DeviceSet(numbering: [
            RecordingDevice("a", recording), RecordingDevice("b", recording),
        ])
        devices.eject(slot: 2)
        #expect(recording.steps == ["b.quiesce", "b.reset"])
        try devices.bind()
        try devices.takeOver(nil)
        try devices.resume()
        devices.prepareRelease()
        #expect(try devices.release().map(\.identifier) == ["a"])
        try devices.reclaim()
        devices.announce()
        #expect(!recording.steps.dropFirst(2).contains { $0.hasPrefix("b.") })
    }

    @Test func ejectedDeviceStandsStillAndLetsGoWithTheOthers() {
        let recording = Recording()
        let devices = DeviceSet(numbering: [
            RecordingDevice("a", recording), RecordingDevice("b", recording),
        ])
        devices.eject(slot: 1)
        devices.quiesce()
        devices.letGo()
        #expect(
            recording.steps.dropFirst(2) == ["a.quiesce", "b.quiesce", "a.letGo", "b.letGo"])
    }

    @Test func ejectingAnEmptySlotChangesNothing() {
        let recording = Recording()
        let devices = DeviceSet(numbering: [RecordingDevice("a", recording)])
        devices.eject(slot: 9)
        #expect(recording.steps.isEmpty)
        #expect(devices.remove(slot: 9) == nil)
        #expect(devices.members.count == 1)
    }

    @Test func addedDeviceTakesTheNextSteps() throws {
        let recording = Recording()
        let devices = DeviceSet(numbering: [RecordingDevice("a", recording)])
        devices.add(DeviceSet.Member(RecordingDevice("b", recording), slot: 7))
        try devices.resume()
        #expect(recording.steps == ["a.resume", "b.resume"])
        #expect(devices.remove(slot: 7)?.device.identifier == "b")
        devices.quiesce()
        #expect(recording.steps.last == "a.quiesce")
    }

    @Test func onlyDisksAndNetworkDevicesAreRemovable() {
        let entropy = DeviceSet.Member(RecordingDevice("a", Recording()), slot: 1)
        let disk = DeviceSet.Member(
            BlockDevice(
                BlockConfiguration(
                    identifier: "_disk0", path: "/none", isReadOnly: false, isDirect: false,
                    serial: "", queueCount: 1, queueSize: 128)), slot: 2)
        #expect(!entropy.isRemovable)
        #expect(disk.isRemovable)
    }
}

@Suite struct BackendStatesTests {
    private static let states: [(identifier: String, state: [UInt8])] = [
        ("_disk0", [1, 2, 3]), ("_net0", []),
    ]

    @Test func statesSurviveTheWay() throws {
        let decoded = try BackendStates.decode(BackendStates.encode(Self.states))
        #expect(decoded == ["_disk0": [1, 2, 3], "_net0": []])
    }

    @Test func baseProtocolSourceSendsNone() throws {
        #expect(try BackendStates.decode([]).isEmpty)
    }

    @Test func cutBytesAreRefused() {
        let bytes = BackendStates.encode(Self.states)
        for count in 1..<bytes.count {
            #expect(throws: StateError.self, "cut after \(count)") {
                try BackendStates.decode(Array(bytes[..<count]))
            }
        }
        #expect(throws: StateError.self) { try BackendStates.decode(bytes + [0]) }
    }

    @Test func countBeyondTheBytesIsRefused() {
        let bytes = [UInt8](repeating: 0xFF, count: 8)
        #expect(throws: StateError.self) { try BackendStates.decode(bytes) }
    }

    @Test func newerVersionIsRefusedByName() {
        var writer = StateWriter()
        writer.appendCount(1)
        writer.component("_disk0", version: 2) { $0.appendBytes([]) }
        #expect(
            throws: StateError.unsupportedVersion(
                component: "guest/_disk0", version: 2, newest: 1)
        ) { try BackendStates.decode(writer.bytes) }
    }

    @Test func deviceNamedTwiceIsRefused() {
        let bytes = BackendStates.encode([("_disk0", [1]), ("_disk0", [2])])
        #expect(throws: StateError.self) { try BackendStates.decode(bytes) }
    }
}
