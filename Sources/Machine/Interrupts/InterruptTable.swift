import LinuxSystem

/// Where a message interrupt goes.
struct InterruptMessage: Hashable {
    var address: UInt64
    var data: UInt32
}

/// Something whose event raises an interrupt.
protocol InterruptSource: AnyObject, Sendable {
    var event: EventDescriptor { get }
    var gsi: UInt32 { get }

    /// Whether the event was signalled since this was last asked, so that the kernel may still be
    /// at work on it.
    func takeOnItsWay() -> Bool
}

/// The router's book of numbers and routes.
struct InterruptTable {
    /// Does not keep the interrupt alive: its number is free when its device lets go of it.
    struct Reference {
        weak var source: (any InterruptSource)?
    }

    /// Numbers of message interrupts that were given back.
    var free: [UInt32] = []
    /// Lines that have a device.
    var lines: Set<UInt32> = []
    /// Routes of messages, by GSI.
    var routes: [UInt32: InterruptMessage] = [:]
    /// All interrupts that are in use, by GSI.
    var sources: [UInt32: Reference] = [:]
    /// How many `update` calls are under way.
    var openUpdates = 0
    /// Whether the kernel has other routes than these.
    var isStale = false

    private var nextMessage = InterruptRouter.lineCount

    mutating func takeMessageNumber() -> UInt32? {
        if let gsi = free.popLast() { return gsi }
        let end = InterruptRouter.lineCount + UInt32(InterruptRouter.messageLimit)
        guard nextMessage < end else { return nil }
        defer { nextMessage += 1 }
        return nextMessage
    }

    mutating func takeLine(_ number: UInt32) -> Bool {
        number < InterruptRouter.lineCount && lines.insert(number).inserted
    }

    mutating func release(_ gsi: UInt32) {
        sources[gsi] = nil
        if gsi < InterruptRouter.lineCount {
            lines.remove(gsi)
        } else {
            free.append(gsi)
            if routes.removeValue(forKey: gsi) != nil { isStale = true }
        }
    }

    /// The lines as the kernel wires them by default, each of the first 16 to a PIC and to the
    /// IOAPIC, and then the messages.
    var allRoutes: [InterruptRoute] {
        var all: [InterruptRoute] = []
        all.reserveCapacity(40 + routes.count)
        for line in 0..<InterruptRouter.lineCount {
            if line < 16 {
                let chip: InterruptChipInput = line < 8 ? .primaryPIC : .secondaryPIC
                all.append(.pin(gsi: line, chip: chip, pin: line % 8))
            }
            all.append(.pin(gsi: line, chip: .ioAPIC, pin: line))
        }
        for (gsi, message) in routes.sorted(by: { $0.key < $1.key }) {
            all.append(.message(gsi: gsi, address: message.address, data: message.data))
        }
        return all
    }
}
