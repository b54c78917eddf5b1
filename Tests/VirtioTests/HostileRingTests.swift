import GuestMemory
import Testing

@testable import Virtio

/// A way for a driver to be wrong, and what the queue says of it.
private struct Hostility: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let expected: VirtqueueError
    let arrange: @Sendable (inout DriverRing) throws -> Void

    init(
        _ name: String, _ expected: VirtqueueError,
        _ arrange: @escaping @Sendable (inout DriverRing) throws -> Void
    ) {
        testDescription = name
        self.expected = expected
        self.arrange = arrange
    }

    static func outside(_ address: UInt64, _ length: UInt64) -> VirtqueueError {
        .outsideMemory(.outsideMemory(address: GuestAddress(address), length: length))
    }

    static let table = GuestAddress(0x7000)

    static let all: [Hostility] = [
        Hostility("available index ahead", .availableIndexAhead(by: 9, size: 8)) { ring in
            ring.available = 9
        },
        Hostility("available index behind", .availableIndexAhead(by: 0xFFFF, size: 8)) { ring in
            ring.available = 0xFFFF
        },
        Hostility("head out of range", .descriptorOutOfRange(8, size: 8)) { ring in
            try ring.stageHead(8)
        },
        Hostility("next out of range", .descriptorOutOfRange(0xFFFF, size: 8)) { ring in
            try ring.writeDescriptor(0, address: 0x8000, length: 1, flags: 1, next: 0xFFFF)
            try ring.stageHead(0)
        },
        Hostility("loop of one", .chainTooLong(limit: 1024)) { ring in
            try ring.writeDescriptor(0, address: 0x8000, length: 1, flags: 1, next: 0)
            try ring.stageHead(0)
        },
        Hostility("loop of empty buffers", .chainTooLong(limit: 1024)) { ring in
            try ring.writeDescriptor(0, address: 0x8000, length: 0, flags: 1, next: 1)
            try ring.writeDescriptor(1, address: 0x8000, length: 0, flags: 1, next: 0)
            try ring.stageHead(0)
        },
        Hostility("buffer outside RAM", outside(0x4000_0000, 16)) { ring in
            try ring.stage([.readable(0x4000_0000, 16)])
        },
        Hostility("buffer over the end of RAM", outside(0xF_FFF8, 16)) { ring in
            try ring.stage([.writable(0xF_FFF8, 16)])
        },
        Hostility("buffer over the end of addresses", outside(.max - 3, 16)) { ring in
            try ring.stage([.readable(.max - 3, 16)])
        },
        Hostility("largest length", outside(0x8000, 0xFFFF_FFFF)) { ring in
            try ring.stage([.writable(0x8000, .max)])
        },
        Hostility("readable after writable", .readableAfterWritable) { ring in
            try ring.stage([.writable(0x8000, 16), .readable(0x8000, 16)])
        },
        Hostility("indirect with next", .unexpectedIndirect) { ring in
            try ring.writeDescriptor(0, address: 0x7000, length: 16, flags: 5, next: 1)
            try ring.stageHead(0)
        },
        Hostility("nested indirect", .unexpectedIndirect) { ring in
            try ring.writeDescriptor(
                0, address: 0x7000, length: 16, flags: 4, next: 0, table: table)
            try ring.writeDescriptor(0, address: 0x7000, length: 16, flags: 4, next: 0)
            try ring.stageHead(0)
        },
        Hostility("empty indirect table", .invalidIndirectTable(length: 0)) { ring in
            try ring.writeDescriptor(0, address: 0x7000, length: 0, flags: 4, next: 0)
            try ring.stageHead(0)
        },
        Hostility("cut indirect table", .invalidIndirectTable(length: 17)) { ring in
            try ring.writeDescriptor(0, address: 0x7000, length: 17, flags: 4, next: 0)
            try ring.stageHead(0)
        },
        Hostility("huge indirect table", .invalidIndirectTable(length: 0xFFFF_FFF0)) { ring in
            try ring.writeDescriptor(0, address: 0x7000, length: 0xFFFF_FFF0, flags: 4, next: 0)
            try ring.stageHead(0)
        },
        Hostility("next beyond the indirect table", .descriptorOutOfRange(1, size: 1)) { ring in
            try ring.writeDescriptor(
                0, address: 0x8000, length: 1, flags: 1, next: 1, table: table)
            try ring.writeDescriptor(0, address: 0x7000, length: 16, flags: 4, next: 0)
            try ring.stageHead(0)
        },
        Hostility("indirect table over the end of addresses", outside(.max - 15, 32)) { ring in
            try ring.writeDescriptor(0, address: .max - 15, length: 32, flags: 4, next: 0)
            try ring.stageHead(0)
        },
        Hostility("indirect table outside RAM", outside(0x4000_0000, 8)) { ring in
            try ring.writeDescriptor(0, address: 0x4000_0000, length: 32, flags: 4, next: 0)
            try ring.stageHead(0)
        },
    ]
}

@Suite struct HostileRingTests {
    @Test(arguments: Hostility.all)
    fileprivate func isRefusedByName(hostility: Hostility) throws {
        var driver = DriverRing(memory: try DriverRing.memory(), at: 0x1000, size: 8)
        try hostility.arrange(&driver)
        try driver.publish()
        let error = nextError(driver)
        #expect(error == hostility.expected)
    }

    @Test func indirectIsRefusedUnlessAgreedOn() throws {
        var driver = DriverRing(memory: try DriverRing.memory(), at: 0x1000, size: 8)
        try driver.writeDescriptor(0, address: 0x7000, length: 16, flags: 4, next: 0)
        try driver.stageHead(0)
        try driver.publish()
        #expect(nextError(driver, features: [.version1]) == .unexpectedIndirect)
    }

    @Test func chainOfMoreThanFourGigabytesIsRefused() throws {
        let memory = try GuestRAM(
            layout: [
                RegionLayout(
                    slot: 0, start: GuestAddress(0), size: 0x8000_0000, fileOffset: 0)
            ], backing: .sharedFile(hugePages: nil))
        var driver = DriverRing(memory: memory, at: 0x1000, size: 8)
        try driver.offer([
            .readable(0x10_0000, 0x7000_0000), .readable(0x10_0000, 0x7000_0000),
            .readable(0x10_0000, 0x7000_0000),
        ])
        #expect(nextError(driver) == .chainTooLarge)
    }

    @Test(
        arguments: [
            (0, 0x1000, 0x2000, 0x3000), (3, 0x1000, 0x2000, 0x3000),
            (2048, 0x1000, 0x2000, 0x3000),
            (8, 0x1008, 0x2000, 0x3000), (8, 0x1000, 0x2001, 0x3000), (8, 0x1000, 0x2000, 0x3002),
            (8, 0x10_0000, 0x2000, 0x3000), (8, 0x1000, 0xF_FFFE, 0x3000),
            (8, 0x1000, 0x2000, 0xF_FFC0), (8, 0xFFFF_FFFF_FFFF_FFF0, 0x2000, 0x3000),
        ] as [(UInt16, UInt64, UInt64, UInt64)])
    func layoutThatIsNoQueueIsRefused(
        size: UInt16, table: UInt64, available: UInt64, used: UInt64
    ) throws {
        let memory = try DriverRing.memory()
        let layout = VirtqueueLayout(
            size: size, descriptorTable: GuestAddress(table),
            availableRing: GuestAddress(available), usedRing: GuestAddress(used))
        #expect(throws: VirtqueueError.self) {
            try layout.validate(maximumSize: 1024, in: memory)
        }
    }

    private func nextError(
        _ driver: DriverRing, features: VirtioFeatures = [.version1, .indirectDescriptors]
    ) -> VirtqueueError? {
        do {
            var queue = try driver.virtqueue(features: features)
            var chain = DescriptorChain(memory: driver.memory)
            _ = try queue.next(into: &chain)
            return nil
        } catch {
            return error as? VirtqueueError
        }
    }
}
