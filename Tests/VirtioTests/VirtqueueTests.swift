import GuestMemory
import LinuxSystem
import Testing

@testable import Virtio

@Suite struct VirtqueueTests {
    @Test func requestIsTakenAndReturned() throws {
        let memory = try DriverRing.memory()
        var driver = DriverRing(memory: memory, at: 0x1000, size: 8)
        try memory.write([1, 2, 3, 4], at: GuestAddress(0x8000))
        let head = try driver.offer([.readable(0x8000, 4), .writable(0x9000, 16)])

        var queue = try driver.virtqueue()
        var chain = DescriptorChain(memory: memory)
        let isThere = try queue.next(into: &chain)
        #expect(isThere)
        let readable = chain.readable.bytes(limit: 100)
        #expect(readable == [1, 2, 3, 4])
        let room = chain.writable.byteCount
        #expect(room == 16)
        let done = chain.writable.write([9, 8, 7] as [UInt8])
        try queue.complete(head: chain.head, written: UInt32(done))

        #expect(try driver.takeUsed() == [.init(head: UInt32(head), written: 3)])
        #expect(try memory.read(at: GuestAddress(0x9000), count: 3) == [9, 8, 7])
        let isEmpty = try !queue.next(into: &chain)
        #expect(isEmpty)
    }

    @Test func bytesAreOneRunHoweverTheyAreCut() throws {
        let memory = try DriverRing.memory()
        var driver = DriverRing(memory: memory, at: 0x1000, size: 8)
        try memory.write([0x11, 0x22, 0x33], at: GuestAddress(0x8000))
        try memory.write([0x44, 0x55, 0x66, 0x77, 0x88, 0x99], at: GuestAddress(0x8100))
        try driver.offer([
            .readable(0x8000, 3), .readable(0, 0), .readable(0x8100, 6), .writable(0x9000, 2),
            .writable(0x9100, 8),
        ])
        var queue = try driver.virtqueue()
        var chain = DescriptorChain(memory: memory)
        _ = try queue.next(into: &chain)

        let first = chain.readable.load(UInt32.self, at: 0)
        let second = chain.readable.load(UInt32.self, at: 5)
        let beyond = chain.readable.load(UInt32.self, at: 6)
        #expect(first == 0x4433_2211)
        #expect(second == 0x9988_7766)
        #expect(beyond == nil)
        chain.writable.write([1, 2, 3, 4] as [UInt8], at: 1)
        #expect(try memory.read(at: GuestAddress(0x9000), count: 2) == [0, 1])
        #expect(try memory.read(at: GuestAddress(0x9100), count: 3) == [2, 3, 4])
    }

    @Test func writesAreRecordedAsDirty() throws {
        let memory = try DriverRing.memory()
        var driver = DriverRing(memory: memory, at: 0x1000, size: 8)
        try driver.offer([.writable(0x8FFE, 4)])
        var queue = try driver.virtqueue()
        var chain = DescriptorChain(memory: memory)
        _ = try queue.next(into: &chain)
        var pages = PageSet(layouts: memory.layouts)
        memory.collectDirtyPages(into: &pages)
        pages.removeAll()

        chain.writable.write([1, 2, 3, 4] as [UInt8])
        try queue.complete(head: chain.head, written: 4)
        memory.collectDirtyPages(into: &pages)
        let expected = [8, 9, Int(driver.layout.usedRing.rawValue >> 12)].map {
            pages.contains(page: $0, inRegion: 0)
        }
        #expect(expected == [true, true, true])
        let count = pages.count
        #expect(count == 3)
    }

    @Test func positionsWrapAround() throws {
        let memory = try DriverRing.memory()
        var driver = DriverRing(memory: memory, at: 0x1000, size: 4)
        driver.available = 0xFFFE
        driver.seen = 0xFFFE
        try memory.store(0xFFFE as UInt16, at: driver.layout.usedRing.plus(2))
        var queue = try driver.virtqueue(position: .init(available: 0xFFFE, used: 0xFFFE))
        var chain = DescriptorChain(memory: memory)
        for _ in 0..<5 {
            let head = try driver.offer([.writable(0x8000, 1)])
            let isThere = try queue.next(into: &chain)
            #expect(isThere)
            try queue.complete(head: chain.head, written: 1)
            #expect(try driver.takeUsed() == [.init(head: UInt32(head), written: 1)])
        }
        #expect(queue.position == .init(available: 3, used: 3))
    }

    @Test func indirectTableIsFollowed() throws {
        let memory = try DriverRing.memory()
        var driver = DriverRing(memory: memory, at: 0x1000, size: 8)
        let table = GuestAddress(0x7000)
        try driver.writeDescriptor(0, address: 0x8000, length: 4, flags: 1, next: 2, table: table)
        try driver.writeDescriptor(2, address: 0x9000, length: 8, flags: 2, next: 0, table: table)
        try driver.writeDescriptor(0, address: 0x7000, length: 48, flags: 4, next: 0)
        try driver.stageHead(0)
        try driver.publish()
        var queue = try driver.virtqueue(features: [.version1, .indirectDescriptors])
        var chain = DescriptorChain(memory: memory)
        _ = try queue.next(into: &chain)
        let sizes = [chain.readable.byteCount, chain.writable.byteCount]
        #expect(sizes == [4, 8])
    }
}

@Suite struct NotificationTests {
    @Test func interruptIsNotSentWhereTheDriverForbidsIt() throws {
        let memory = try DriverRing.memory()
        var driver = DriverRing(memory: memory, at: 0x1000, size: 8)
        var queue = try driver.virtqueue()
        var chain = DescriptorChain(memory: memory)
        try memory.store(1 as UInt16, at: driver.layout.availableRing)
        try driver.offer([.writable(0x8000, 1)])
        _ = try queue.next(into: &chain)
        try queue.complete(head: chain.head, written: 0)
        let isForbidden = try !queue.needsInterrupt()
        #expect(isForbidden)
        try memory.store(0 as UInt16, at: driver.layout.availableRing)
        let isWanted = try queue.needsInterrupt()
        #expect(isWanted)
    }

    @Test func eventIndexAsksForOneInterruptAtItsPosition() throws {
        let memory = try DriverRing.memory()
        var driver = DriverRing(memory: memory, at: 0x1000, size: 8)
        var queue = try driver.virtqueue(features: [.version1, .eventIndex])
        var chain = DescriptorChain(memory: memory)
        try driver.setUsedEvent(2)
        var wanted: [Bool] = []
        for _ in 0..<5 {
            try driver.offer([.writable(0x8000, 1)])
            _ = try queue.next(into: &chain)
            try queue.complete(head: chain.head, written: 0)
            wanted.append(try queue.needsInterrupt())
        }
        // The first answer after a start or a move is always yes: nothing is known yet.
        #expect(wanted == [true, false, true, false, false])
    }

    @Test func deviceAsksToBeNotifiedOfTheNextRequest() throws {
        let memory = try DriverRing.memory()
        var driver = DriverRing(memory: memory, at: 0x1000, size: 8)
        var queue = try driver.virtqueue(features: [.version1, .eventIndex])
        var chain = DescriptorChain(memory: memory)
        try driver.offer([.writable(0x8000, 1)])
        _ = try queue.next(into: &chain)
        let isEmpty = try !queue.enableNotifications()
        #expect(isEmpty)
        #expect(try driver.availableEvent == 1)
        try driver.offer([.writable(0x8000, 1)])
        let hasMore = try queue.enableNotifications()
        #expect(hasMore)
    }

    @Test func flagsAreUsedWithoutEventIndex() throws {
        let memory = try DriverRing.memory()
        let driver = DriverRing(memory: memory, at: 0x1000, size: 8)
        var queue = try driver.virtqueue()
        try queue.disableNotifications()
        #expect(try memory.load(UInt16.self, at: driver.layout.usedRing) == 1)
        _ = try queue.enableNotifications()
        #expect(try memory.load(UInt16.self, at: driver.layout.usedRing) == 0)
    }
}
