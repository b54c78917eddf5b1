import KVM
import StateCoding

/// The saved state of one processor: the kernel's structures as bytes, in the order in which they
/// are restored.
struct ProcessorState: Equatable {
    /// The parts that every kernel has, in the order in which they are restored; events are last
    /// of all, after the registers.
    static let parts: [KVMVirtualProcessor.StatePart] = [
        .runState, .specialRegisters, .generalRegisters, .extendedControlRegisters,
        .extendedState, .debugRegisters, .localAPIC, .events,
    ]

    /// More registers than any kernel lists; a longer list is not from us.
    static let registerLimit = 4096

    var identifier: UInt32
    /// As in `parts`.
    var contents: [[UInt8]]
    /// Special registers with page directory pointers, where the source has them.
    var specialRegistersWithPointers: [UInt8]?
    /// Nested state, where the source has it.
    var nestedState: [UInt8]?
    /// Without the time stamp counter's own, which is in `timestamp`.
    var registers: [ModelSpecificRegister]
    var timestamp: Timestamp

    /// The time stamp counter.
    struct Timestamp: Equatable {
        /// Its frequency in kHz.
        var kilohertz: UInt32
        /// Its value when it was saved.
        var value: UInt64
        /// What is added to the host's counter, where the kernel tells.
        var offset: UInt64?
    }
}

extension ProcessorState {
    func encode(into writer: inout StateWriter) {
        writer.append(identifier)
        for bytes in contents { writer.appendBytes(bytes) }
        writer.appendOptional(specialRegistersWithPointers)
        writer.appendOptional(nestedState)
        writer.appendCount(registers.count)
        for register in registers {
            writer.append(register.index)
            writer.append(register.value)
        }
        writer.append(timestamp.kilohertz)
        writer.append(timestamp.value)
        writer.append(timestamp.offset != nil)
        writer.append(timestamp.offset ?? 0)
    }

    init(from reader: inout StateReader) throws(StateError) {
        identifier = try reader.readUInt32()
        contents = []
        for _ in Self.parts { contents.append(try reader.readBytes()) }
        specialRegistersWithPointers = try reader.readOptionalBytes()
        nestedState = try reader.readOptionalBytes()
        let count = try reader.readCount(elementSize: 12)
        guard count <= Self.registerLimit else {
            throw reader.invalid("it has \(count) model-specific registers")
        }
        registers = []
        registers.reserveCapacity(count)
        for _ in 0..<count {
            let index = try reader.readUInt32()
            registers.append(ModelSpecificRegister(index: index, value: try reader.readUInt64()))
        }
        let kilohertz = try reader.readUInt32()
        let value = try reader.readUInt64()
        let hasOffset = try reader.readBool()
        let offset = try reader.readUInt64()
        timestamp = Timestamp(
            kilohertz: kilohertz, value: value, offset: hasOffset ? offset : nil)
    }
}

/// The component `processors`: all of them, and on which host and when they were saved.
struct ProcessorsState: VersionedState, Equatable {
    static let name = "processors"
    static let version: UInt16 = 1

    /// The host's identity until it is booted anew, which is also that of its counters.
    var hostBoot: String
    /// The host's wall clock when the counters were read, in nanoseconds since 1970.
    var realtime: UInt64
    var processors: [ProcessorState]

    init(hostBoot: String, realtime: UInt64, processors: [ProcessorState]) {
        self.hostBoot = hostBoot
        self.realtime = realtime
        self.processors = processors
    }

    func encode(into writer: inout StateWriter) {
        writer.appendString(hostBoot)
        writer.append(realtime)
        writer.appendCount(processors.count)
        for processor in processors { processor.encode(into: &writer) }
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        hostBoot = try reader.readString()
        realtime = try reader.readUInt64()
        // Each processor has several thousand bytes; 64 is no more than a bound for the loop.
        let count = try reader.readCount(elementSize: 64)
        processors = []
        for _ in 0..<count { processors.append(try ProcessorState(from: &reader)) }
    }
}

extension StateWriter {
    /// Appends whether there are bytes, and the bytes.
    fileprivate mutating func appendOptional(_ bytes: [UInt8]?) {
        append(bytes != nil)
        appendBytes(bytes ?? [])
    }
}

extension StateReader {
    /// Reads what `appendOptional` wrote.
    fileprivate mutating func readOptionalBytes() throws(StateError) -> [UInt8]? {
        let isPresent = try readBool()
        let bytes = try readBytes()
        return isPresent ? bytes : nil
    }
}
