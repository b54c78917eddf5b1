import LinuxSystem
import StateCoding
import Synchronization
import Virtio

/// What was asked of several devices, in order: "a.bind".
final class Recording: Sendable {
    private let recorded = Mutex<[String]>([])

    var steps: [String] { recorded.withLock { $0 } }

    func note(_ step: String) {
        recorded.withLock { $0.append(step) }
    }
}

/// A device that writes down what it is asked, and fails at one step if it is told to.
final class RecordingDevice: VirtioDevice {
    let identifier: String
    let kind = VirtioDeviceKind.entropy
    let features: VirtioFeatures = []
    let queueSizes: [UInt16] = []
    let counters: [DeviceCounter]

    private let recording: Recording
    private let failingStep: String?

    init(
        _ identifier: String, _ recording: Recording, failsAt failingStep: String? = nil,
        counters: [DeviceCounter] = []
    ) {
        self.identifier = identifier
        self.recording = recording
        self.failingStep = failingStep
        self.counters = counters
    }

    private func note(_ step: String) {
        recording.note("\(identifier).\(step)")
    }

    private func attempt(_ step: String) throws(DeviceError) {
        note(step)
        if step == failingStep { throw .unbound(device: identifier) }
    }

    func bind() throws(DeviceError) { try attempt("bind") }

    func takeOver(_ backendState: [UInt8]?) throws(DeviceError) {
        try attempt(backendState.map { "takeOver\($0)" } ?? "takeOver")
    }

    func resume() throws(DeviceError) { try attempt("resume") }
    func quiesce() { note("quiesce") }
    func prepareRelease() { note("prepareRelease") }

    func release() throws(DeviceError) -> [UInt8] {
        try attempt("release")
        return Array(identifier.utf8)
    }

    func reclaim() throws(DeviceError) { try attempt("reclaim") }
    func letGo() { note("letGo") }
    func announce() { note("announce") }

    func readConfiguration(offset: Int, width: Int) -> UInt64 { 0 }
    func writeConfiguration(offset: Int, width: Int, value: UInt64) {}
    func activate(_ activation: DeviceActivation) {}
    func reset() { note("reset") }
    func save(into writer: inout StateWriter) {}
    func load(from reader: inout StateReader) throws(StateError) {}
}
