import LinuxSystem
private import Synchronization

/// Hands out the guest's interrupts and keeps their routes in one table, which the kernel takes
/// only as a whole.
///
/// Numbers 0 to 23 are the interrupt lines of the chips, wired as the kernel does by default.
/// Message interrupts have the numbers from 24 on.
public final class InterruptRouter: Sendable {
    /// The number of interrupt lines: the inputs of the IOAPIC.
    public static let lineCount: UInt32 = 24

    /// Message interrupts of one guest at most; the kernel takes 4096 routes, the lines have 40.
    public static let messageLimit = 2048

    private let chip: any InterruptChip
    private let table = Mutex(InterruptTable())

    /// A router with the lines' routes only, which the kernel has from the start.
    public init(chip: any InterruptChip) {
        self.chip = chip
    }

    /// An interrupt that a PCI device sends as a message. It has no route yet. Its number is free
    /// again when the last reference to it is gone.
    public func allocateMessageInterrupt() throws(InterruptError) -> MessageInterrupt {
        guard let gsi = table.withLock({ $0.takeMessageNumber() }) else {
            throw .exhausted(limit: Self.messageLimit)
        }
        do throws(SystemError) {
            let event = try EventDescriptor(name: "interrupt \(gsi)")
            try chip.attach(event, to: gsi)
            let interrupt = MessageInterrupt(event: event, gsi: gsi, router: self)
            table.withLock { $0.sources[gsi] = .init(source: interrupt) }
            return interrupt
        } catch {
            table.withLock { $0.free.append(gsi) }
            throw .system(error)
        }
    }

    /// The line `number` of the interrupt chips, for its only device. It is free again when the
    /// last reference to it is gone.
    public func allocateLine(_ number: UInt32) throws(InterruptError) -> InterruptLine {
        guard table.withLock({ $0.takeLine(number) }) else { throw .lineUnavailable(number) }
        do throws(SystemError) {
            let event = try EventDescriptor(name: "interrupt line \(number)")
            try chip.attach(event, to: number)
            let line = InterruptLine(event: event, gsi: number, router: self)
            table.withLock { $0.sources[number] = .init(source: line) }
            return line
        } catch {
            table.withLock { _ = $0.lines.remove(number) }
            throw .system(error)
        }
    }

    /// Runs `body` and hands the kernel all changes of routes made meanwhile at once. Handing over
    /// the table waits for readers of the old one, which is the larger part of a change's cost.
    ///
    /// - Throws: what `body` throws; else the kernel's refusal of the new table.
    public func update(_ body: () throws(InterruptError) -> Void) throws(InterruptError) {
        table.withLock { $0.openUpdates += 1 }
        var failure: InterruptError?
        do throws(InterruptError) { try body() } catch { failure = error }
        do throws(InterruptError) {
            try change { $0.openUpdates -= 1 }
        } catch {
            failure = failure ?? error
        }
        if let failure { throw failure }
    }

    /// Waits until every interrupt that was triggered has reached its chip or local APIC. Call it
    /// after the devices have stopped and before the state of the chips is saved.
    ///
    /// It takes about 0.1 ms for each interrupt that was triggered since the last call.
    public func drain() throws(InterruptError) {
        let sources = table.withLock { $0.sources.values.compactMap(\.source) }
        for source in sources where source.takeOnItsWay() {
            do throws(SystemError) {
                // Detaching waits for the work that signals have started.
                try chip.detach(source.event, from: source.gsi)
                try chip.attach(source.event, to: source.gsi)
            } catch {
                throw .system(error)
            }
        }
    }

    func setRoute(_ message: InterruptMessage?, of gsi: UInt32) throws(InterruptError) {
        try change { table in
            guard table.routes[gsi] != message else { return }
            table.routes[gsi] = message
            table.isStale = true
        }
    }

    /// Takes back the number of an interrupt that is going away.
    func release(gsi: UInt32, event: borrowing EventDescriptor) {
        // Nothing is left that could act on a refusal, and closing the event ends it as well.
        try? chip.detach(event, from: gsi)
        try? change { $0.release(gsi) }
    }

    /// Changes the table and, unless an update is open, hands it to the kernel if that is needed.
    private func change(
        _ body: (inout InterruptTable) -> Void
    ) throws(InterruptError) {
        try table.withLock { table throws(InterruptError) in
            body(&table)
            guard table.isStale, table.openUpdates == 0 else { return }
            do throws(SystemError) {
                try chip.setRoutes(table.allRoutes)
            } catch {
                throw .system(error)
            }
            table.isStale = false
        }
    }
}
