import Machine
import Synchronization
import Testing

@Suite struct InterruptRouterTests {
    @Test func messagesAreRoutedBehindTheLines() throws {
        let chip = RecordingChip()
        let router = InterruptRouter(chip: chip)
        let first = try router.allocateMessageInterrupt()
        let second = try router.allocateMessageInterrupt()
        try second.route(address: 0xfee0_0000, data: 0x41)
        try first.route(address: 0xfee0_1000, data: 0x42)

        let table = chip.tables.withLock { $0.last } ?? []
        #expect(table.count == 16 + 24 + 2)
        #expect(table.contains(.pin(gsi: 4, chip: .primaryPIC, pin: 4)))
        #expect(table.contains(.pin(gsi: 12, chip: .secondaryPIC, pin: 4)))
        #expect(table.contains(.pin(gsi: 23, chip: .ioAPIC, pin: 23)))
        #expect(
            chip.messages == [
                .message(gsi: 24, address: 0xfee0_1000, data: 0x42),
                .message(gsi: 25, address: 0xfee0_0000, data: 0x41),
            ])
        #expect(chip.attachedNow == [24, 25])
    }

    @Test func unroutedMessageLeavesTheTable() throws {
        let chip = RecordingChip()
        let router = InterruptRouter(chip: chip)
        let interrupt = try router.allocateMessageInterrupt()
        try interrupt.route(address: 0xfee0_0000, data: 1)
        try interrupt.unroute()
        #expect(chip.messages.isEmpty)
        #expect(chip.tables.withLock { $0.count } == 2)
    }

    @Test func sameRouteAgainCostsNothing() throws {
        let chip = RecordingChip()
        let router = InterruptRouter(chip: chip)
        let interrupt = try router.allocateMessageInterrupt()
        try interrupt.route(address: 0xfee0_0000, data: 1)
        try interrupt.route(address: 0xfee0_0000, data: 1)
        #expect(chip.tables.withLock { $0.count } == 1)
    }

    @Test func updateHandsOverAllChangesAtOnce() throws {
        let chip = RecordingChip()
        let router = InterruptRouter(chip: chip)
        let interrupts = [
            try router.allocateMessageInterrupt(), try router.allocateMessageInterrupt(),
        ]
        try router.update { () throws(InterruptError) in
            for interrupt in interrupts { try interrupt.route(address: 0xfee0_0000, data: 9) }
        }
        // Interrupts take their routes with them when they go.
        withExtendedLifetime(interrupts) {
            #expect(chip.tables.withLock { $0.count } == 1)
            #expect(chip.messages.count == 2)
        }
    }

    @Test func refusedTableIsReportedAndTriedAgain() throws {
        let chip = RecordingChip()
        let router = InterruptRouter(chip: chip)
        let interrupt = try router.allocateMessageInterrupt()
        chip.refusesRoutes.store(true, ordering: .relaxed)
        #expect(throws: InterruptError.self) { try interrupt.route(address: 1, data: 1) }
        chip.refusesRoutes.store(false, ordering: .relaxed)
        try interrupt.route(address: 1, data: 1)
        #expect(chip.messages.count == 1)
    }

    @Test func numberIsFreeWhenTheInterruptIsGone() throws {
        let chip = RecordingChip()
        let router = InterruptRouter(chip: chip)
        do {
            let interrupt = try router.allocateMessageInterrupt()
            try interrupt.route(address: 0xfee0_0000, data: 1)
        }
        #expect(chip.attachedNow.isEmpty)
        #expect(chip.messages.isEmpty)
        let next = try router.allocateMessageInterrupt()
        #expect(chip.attachedNow == [24])
        _ = next
    }

    @Test func lineHasOneDevice() throws {
        let router = InterruptRouter(chip: RecordingChip())
        do {
            let line = try router.allocateLine(4)
            #expect(throws: InterruptError.lineUnavailable(4)) { try router.allocateLine(4) }
            _ = line
        }
        _ = try router.allocateLine(4)
        #expect(throws: InterruptError.lineUnavailable(24)) { try router.allocateLine(24) }
    }

    @Test func drainReattachesWhatWasTriggered() throws {
        let chip = RecordingChip()
        let router = InterruptRouter(chip: chip)
        let line = try router.allocateLine(4)
        let message = try router.allocateMessageInterrupt()
        let quiet = try router.allocateMessageInterrupt()
        line.trigger()
        message.trigger()
        try router.drain()
        #expect(chip.detached.withLock { $0.sorted() } == [4, 24])
        #expect(chip.attachedNow == [4, 24, 25])
        try router.drain()
        #expect(chip.detached.withLock { $0.count } == 2)
        _ = quiet
    }
}
