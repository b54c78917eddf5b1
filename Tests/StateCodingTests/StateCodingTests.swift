import StateCoding
import Testing

/// A component as devices write them: two versions, the second with one more field.
private struct Lamp: VersionedState, Equatable {
    static let name = "lamp"
    static let version: UInt16 = 2

    var brightness: UInt8
    var colour: UInt32

    init(brightness: UInt8, colour: UInt32) {
        self.brightness = brightness
        self.colour = colour
    }

    func encode(into writer: inout StateWriter) {
        writer.append(brightness)
        writer.append(colour)
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        brightness = try reader.readUInt8()
        guard brightness <= 100 else { throw reader.invalid("brightness is \(brightness)") }
        colour = version >= 2 ? try reader.readUInt32() : 0xFFFFFF
    }
}

@Suite struct StateWriterTests {
    /// Number 20 in docs/comparison.md: state is JSON in JSON there.
    @Test func integersAreLittleEndianWithoutPadding() {
        var writer = StateWriter()
        writer.append(0x01 as UInt8)
        writer.append(0x0203 as UInt16)
        writer.append(0x0405_0607 as UInt32)
        writer.append(0x0809_0A0B_0C0D_0E0F as UInt64)
        writer.append(-2 as Int64)
        writer.append(true)
        let expected: [UInt8] = [
            0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04,
            0x0F, 0x0E, 0x0D, 0x0C, 0x0B, 0x0A, 0x09, 0x08,
            0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01,
        ]
        #expect(writer.bytes == expected)
    }

    @Test func componentCarriesNameVersionAndLength() {
        var writer = StateWriter()
        writer.append(Lamp(brightness: 7, colour: 0x10))
        let expected: [UInt8] =
            [4, 0, 0, 0, 0, 0, 0, 0] + Array("lamp".utf8) + [2, 0]
            + [5, 0, 0, 0, 0, 0, 0, 0] + [7, 0x10, 0, 0, 0]
        #expect(writer.bytes == expected)
    }
}

@Suite struct StateReaderTests {
    @Test func everyFieldReadsBack() throws {
        var writer = StateWriter()
        writer.append(UInt8.max)
        writer.append(UInt16.max)
        writer.append(UInt32.max)
        writer.append(UInt64.max)
        writer.append(Int64.min)
        writer.append(false)
        writer.appendBytes([1, 2, 3])
        writer.appendFixed([4, 5])
        writer.appendString("grün")
        writer.appendCount(1)
        writer.append(9 as UInt16)

        var reader = StateReader(writer.bytes)
        #expect(try reader.readUInt8() == .max)
        #expect(try reader.readUInt16() == .max)
        #expect(try reader.readUInt32() == .max)
        #expect(try reader.readUInt64() == .max)
        #expect(try reader.readInt64() == .min)
        #expect(try reader.readBool() == false)
        #expect(try reader.readBytes() == [1, 2, 3])
        #expect(try reader.readFixed(count: 2) == [4, 5])
        #expect(try reader.readString() == "grün")
        #expect(try reader.readCount(elementSize: 2) == 1)
        #expect(try reader.readUInt16() == 9)
        try reader.finish()
    }

    @Test func nestedComponentsAreReadWithinTheirOwnBounds() throws {
        var writer = StateWriter()
        writer.component("machine", version: 1) { writer in
            writer.append(Lamp(brightness: 1, colour: 2))
            writer.append(Lamp(brightness: 3, colour: 4))
        }
        writer.append(0xAA as UInt8)

        var reader = StateReader(writer.bytes)
        var machine = try reader.readComponent()
        #expect(machine.name == "machine")
        #expect(machine.version == 1)
        #expect(try machine.reader.read(Lamp.self) == Lamp(brightness: 1, colour: 2))
        #expect(try machine.reader.read(Lamp.self) == Lamp(brightness: 3, colour: 4))
        try machine.reader.finish()
        #expect(try reader.readUInt8() == 0xAA)
    }

    @Test func olderVersionIsRead() throws {
        var writer = StateWriter()
        writer.component("lamp", version: 1) { $0.append(5 as UInt8) }
        var reader = StateReader(writer.bytes)
        #expect(try reader.read(Lamp.self) == Lamp(brightness: 5, colour: 0xFFFFFF))
    }

    @Test(arguments: [0, 3] as [UInt16])
    func unknownVersionIsRefusedByName(version: UInt16) {
        var writer = StateWriter()
        writer.component("lamp", version: version) { $0.append(5 as UInt8) }
        var reader = StateReader(writer.bytes)
        #expect(
            throws: StateError.unsupportedVersion(
                component: "guest/lamp", version: version, newest: 2)
        ) { try reader.read(Lamp.self) }
    }

    @Test func anotherComponentIsRefusedByName() {
        var writer = StateWriter()
        writer.component("door", version: 1) { _ in }
        var reader = StateReader(writer.bytes)
        #expect(
            throws: StateError.unexpectedComponent(component: "guest/door", expected: "lamp")
        ) { try reader.read(Lamp.self) }
    }

    @Test func leftoverBytesOfAComponentAreAnError() {
        var writer = StateWriter()
        writer.component("lamp", version: 1) { writer in
            writer.append(5 as UInt8)
            writer.append(6 as UInt16)
        }
        var reader = StateReader(writer.bytes)
        #expect(throws: StateError.leftover(component: "guest/lamp", bytes: 2)) {
            try reader.read(Lamp.self)
        }
    }

    @Test func componentsOwnChecksNameTheComponent() {
        var writer = StateWriter()
        writer.append(Lamp(brightness: 101, colour: 0))
        var reader = StateReader(writer.bytes)
        #expect(
            throws: StateError.invalidValue(
                component: "guest/lamp", reason: "brightness is 101")
        ) { try reader.read(Lamp.self) }
    }

    @Test func everyTruncationIsAnError() {
        var writer = StateWriter()
        writer.append(Lamp(brightness: 1, colour: 2))
        for length in 0..<writer.bytes.count {
            var reader = StateReader(Array(writer.bytes.prefix(length)))
            #expect(throws: StateError.self) { try reader.read(Lamp.self) }
        }
    }

    @Test func hugeLengthsAndCountsAreErrors() {
        for length in [UInt64.max, UInt64(Int64.max), 1 << 62, 9] {
            var writer = StateWriter()
            writer.append(length)
            writer.append(0 as UInt64)
            var reader = StateReader(writer.bytes)
            #expect(throws: StateError.self) { try reader.readBytes() }
            reader = StateReader(writer.bytes)
            #expect(throws: StateError.self) { try reader.readString() }
            reader = StateReader(writer.bytes)
            #expect(throws: StateError.self) { try reader.readCount(elementSize: 8) }
        }
        var reader = StateReader([1, 2])
        #expect(throws: StateError.self) { try reader.readFixed(count: -1) }
    }

    @Test func textMustBeUnicodeAndTruthValuesBinary() {
        var writer = StateWriter()
        writer.appendBytes([0xC3, 0x28])
        var reader = StateReader(writer.bytes)
        #expect(throws: StateError.invalidText(component: "guest")) { try reader.readString() }
        reader = StateReader([2])
        #expect(throws: StateError.self) { try reader.readBool() }
    }
}
