import Testing

@testable import Machine

@Suite struct AMLTests {
    private func bytes(_ value: AMLValue) -> [UInt8] {
        var writer = AMLWriter()
        value.write(to: &writer)
        return writer.bytes
    }

    @Test(
        arguments: [
            (0, [0]), (1, [1]), (2, [0x0a, 2]), (0xff, [0x0a, 0xff]), (0x100, [0x0b, 0, 1]),
            (0x1_0000, [0x0c, 0, 0, 1, 0]), (1 << 32, [0x0e, 0, 0, 0, 0, 1, 0, 0, 0]),
        ] as [(UInt64, [UInt8])])
    func integersHaveTheirShortestForm(value: UInt64, expected: [UInt8]) {
        #expect(bytes(.integer(value)) == expected)
    }

    /// The length counts itself, so it grows at the edges.
    @Test(
        arguments: [
            (62, [63]), (63, [0x41, 4]), (4093, [0x4f, 0xff]), (4094, [0x81, 0x00, 0x01]),
            (0xf_fffc, [0x8f, 0xff, 0xff]), (0xf_fffd, [0xc1, 0, 0, 1]),
        ] as [(Int, [UInt8])])
    func lengthsCountThemselves(count: Int, expected: [UInt8]) {
        var writer = AMLWriter()
        writer.appendPackage([0x10]) { $0.append([UInt8](repeating: 0xaa, count: count)) }
        #expect(Array(writer.bytes[1..<(1 + expected.count)]) == expected)
        #expect(writer.bytes.count == 1 + expected.count + count)
    }

    @Test func identifiersArePacked() {
        // As in the table of the EISA specification's example, PNP0A03.
        #expect(bytes(.plugAndPlay(0x0a03)) == [0x0c, 0x41, 0xd0, 0x0a, 0x03])
        #expect(
            bytes(.uuid("33db4d5b-1ff7-401c-9657-7441c03dd766")) == [
                0x11, 19, 0x0a, 16, 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40, 0x96, 0x57,
                0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66,
            ])
    }

    @Test func pathsHaveTheirPrefixes() {
        #expect(AMLPath("PCI0").bytes == Array("PCI0".utf8))
        #expect(AMLPath.root("_SB").bytes == Array("\\_SB_".utf8))
        #expect(AMLPath.root("_SB", "PCI0").bytes == [0x5c, 0x2e] + Array("_SB_PCI0".utf8))
        #expect(AMLPath("A", "B", "C").bytes == [0x2f, 3] + Array("A___B___C___".utf8))
        #expect(AMLName("C", number: 0x1f, digits: 3).bytes == Array("C01F".utf8))
    }

    @Test func resourcesHaveTheLayoutOfTheSpecification() {
        #expect(
            bytes(AMLResource.list([.ports(0x3f8..<0x400), .interrupt(4)])) == [
                0x11, 22, 0x0a, 19,
                0x47, 1, 0xf8, 3, 0xf8, 3, 1, 8,
                0x89, 6, 0, 3, 1, 4, 0, 0, 0,
                0x79, 0,
            ])
        #expect(
            bytes(AMLResource.list([.busWindow(0...0), .memoryWindow32(0x10..<0x20)])).dropFirst(4)
                == [
                    0x88, 13, 0, 2, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
                    0x87, 23, 0, 0, 12, 1, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x1f, 0, 0, 0,
                    0, 0, 0, 0, 0x10, 0, 0, 0,
                    0x79, 0,
                ])
    }
}
