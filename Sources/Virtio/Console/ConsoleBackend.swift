internal import LinuxSystem
public import Machine
internal import Synchronization

/// What a guest's console is made of.
public struct ConsoleConfiguration: Hashable, Sendable {
    /// Name of the device.
    public var identifier: String
    /// Where its output goes, and its input comes from.
    public var output: SerialOutput
    /// Whether input is taken where there is some; false where another device of the guest takes
    /// it.
    public var takesInput: Bool

    /// A console.
    public init(identifier: String, output: SerialOutput, takesInput: Bool = true) {
        self.identifier = identifier
        self.output = output
        self.takesInput = takesInput
    }
}

/// Input of a console for which the driver has had no buffers yet, and what wakes its thread when
/// there is more.
final class ConsoleBacklog: Sendable {
    /// Readable when there is input.
    let arrival: EventDescriptor
    private let bytes = Mutex<[UInt8]>([])

    init(identifier: String) throws(SystemError) {
        arrival = try EventDescriptor(name: "input of \(identifier)")
    }

    /// All that waits.
    var contents: [UInt8] { bytes.withLock { $0 } }

    /// Whether there is room for as much as a line gives at once.
    var hasRoom: Bool { bytes.withLock { Self.hasRoom($0) } }

    private static func hasRoom(_ bytes: [UInt8]) -> Bool {
        bytes.count < SerialLine.backlogLimit / 2
    }

    /// Takes input.
    ///
    /// - Returns: whether there is room for as many bytes again.
    func append(_ more: [UInt8]) -> Bool {
        let hasRoom = bytes.withLock { bytes in
            bytes += more
            return Self.hasRoom(bytes)
        }
        arrival.signal()
        return hasRoom
    }

    /// The first bytes, which stay until `remove`.
    func prefix(_ count: Int) -> [UInt8] { bytes.withLock { Array($0.prefix(count)) } }

    /// Takes out the first bytes.
    func remove(_ count: Int) {
        bytes.withLock { $0.removeFirst(min(count, $0.count)) }
    }

    /// Takes over what waited elsewhere.
    func replace(with saved: [UInt8]) {
        bytes.withLock { $0 = saved }
    }
}
