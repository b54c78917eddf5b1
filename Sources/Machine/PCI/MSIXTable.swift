internal import Synchronization

/// The MSI-X structures of a function: message table, pending bits and message control, as in the
/// PCI Local Bus Specification 3.0, section 6.8.2.
///
/// A vector has a route to the local APICs only while the guest lets it through: MSI-X enabled,
/// neither the function nor the vector masked. What is raised meanwhile is kept as a pending bit
/// and delivered once on unmasking, so that no interrupt is lost. Any thread may raise a vector.
public final class MSIXTable: Sendable {
    /// Bytes of an entry of the table.
    public static let entrySize = 16

    /// The most vectors that a table has here: one page of entries.
    public static let maximumCount = 256

    /// The number that a driver writes where it wants no vector.
    public static let noVector: UInt16 = 0xFFFF

    /// What a guest has written for one vector.
    struct Entry: Equatable {
        var address: UInt64 = 0
        var data: UInt32 = 0
        /// Vectors are masked until the guest unmasks them.
        var isMasked = true
    }

    struct State {
        var entries: [Entry]
        var pending: [Bool]
        var isEnabled = false
        var isFunctionMasked = false
        /// Whether the vector has a route. Kept, because masking is written far more often than
        /// routes have to change.
        var routed: [Bool]
    }

    /// The number of vectors.
    public let count: Int

    let state: Mutex<State>
    private let router: InterruptRouter
    private let interrupts: [MessageInterrupt]
    private let report: @Sendable (InterruptError) -> Void

    /// A table of masked vectors.
    ///
    /// - Parameters:
    ///   - count: from 1 to `maximumCount` vectors.
    ///   - router: gives an interrupt for each.
    ///   - report: told when the host refuses a route; what is raised then stays pending.
    public init(
        count: Int, router: InterruptRouter, report: @escaping @Sendable (InterruptError) -> Void
    ) throws(InterruptError) {
        precondition((1...Self.maximumCount).contains(count))
        self.count = count
        self.router = router
        self.report = report
        var interrupts: [MessageInterrupt] = []
        for _ in 0..<count { interrupts.append(try router.allocateMessageInterrupt()) }
        self.interrupts = interrupts
        state = Mutex(
            State(
                entries: Array(repeating: Entry(), count: count),
                pending: Array(repeating: false, count: count),
                routed: Array(repeating: false, count: count)))
    }

    /// Raises a vector, or makes it pending while it is masked. Numbers without a vector, such as
    /// `noVector`, raise nothing; neither does a guest that has not enabled MSI-X.
    public func raise(_ vector: UInt16) {
        let index = Int(vector)
        // The interrupt is triggered under the lock: a mask that comes in between would take the
        // route away, and the interrupt would be lost instead of pending.
        state.withLock { state in
            guard index < count, state.isEnabled else { return }
            if state.routed[index] {
                interrupts[index].trigger()
            } else {
                state.pending[index] = true
            }
        }
    }

    /// Takes the enable and function mask bits of the message control register.
    func setControl(isEnabled: Bool, isFunctionMasked: Bool) {
        state.withLock { state in
            guard state.isEnabled != isEnabled || state.isFunctionMasked != isFunctionMasked
            else { return }
            state.isEnabled = isEnabled
            state.isFunctionMasked = isFunctionMasked
            settle(0..<count, &state)
        }
    }

    /// Takes entries and pending bits from a saved state.
    func restore(entries: [Entry], pending: [Bool]) {
        state.withLock { state in
            for index in 0..<min(count, entries.count, pending.count) {
                state.entries[index] = entries[index]
                state.pending[index] = pending[index]
            }
            settle(0..<count, isMessageNew: true, &state)
        }
    }

    /// Brings the routes of vectors in line with their masks and messages, in one change of the
    /// router's table, and then delivers what was pending.
    private func settle(
        _ vectors: Range<Int>, isMessageNew: Bool = false, _ state: inout State
    ) {
        do throws(InterruptError) {
            try router.update { () throws(InterruptError) in
                for index in vectors {
                    let entry = state.entries[index]
                    let isOpen = state.isEnabled && !state.isFunctionMasked && !entry.isMasked
                    if isOpen, isMessageNew || !state.routed[index] {
                        try interrupts[index].route(address: entry.address, data: entry.data)
                    } else if !isOpen, state.routed[index] {
                        try interrupts[index].unroute()
                    }
                    state.routed[index] = isOpen
                }
            }
        } catch {
            for index in vectors { state.routed[index] = false }
            report(error)
        }
        for index in vectors where state.routed[index] && state.pending[index] {
            state.pending[index] = false
            interrupts[index].trigger()
        }
    }
}

/// The table and the pending bits as the guest reaches them in a BAR.
extension MSIXTable {
    /// Reads 1 to 8 bytes of the table.
    public func read(offset: UInt64, width: Int) -> UInt64 {
        guard let index = Int(exactly: offset / UInt64(Self.entrySize)), index < count else {
            return 0
        }
        let entry = state.withLock { $0.entries[index] }
        let low = entry.address
        let high = UInt64(entry.data) | (entry.isMasked ? 1 : 0) << 32
        let within = Int(offset % UInt64(Self.entrySize))
        return within < 8 ? low >> (8 * within) : high >> (8 * (within - 8))
    }

    /// Writes 4 or 8 aligned bytes of the table; other accesses are not allowed and have no effect.
    public func write(offset: UInt64, width: Int, value: UInt64) {
        guard width == 4 || width == 8, offset.isMultiple(of: UInt64(width)) else { return }
        guard let index = Int(exactly: offset / UInt64(Self.entrySize)), index < count else {
            return
        }
        state.withLock { state in
            let before = state.entries[index]
            for part in 0..<(width / 4) {
                let word = UInt32(truncatingIfNeeded: value >> (32 * part))
                state.entries[index].setWord(Int(offset % 16) / 4 + part, to: word)
            }
            let after = state.entries[index]
            guard before != after else { return }
            let isMessageNew = before.address != after.address || before.data != after.data
            settle(index..<(index + 1), isMessageNew: isMessageNew, &state)
        }
    }

    /// Reads 1 to 8 bytes of the pending bits.
    public func readPending(offset: UInt64, width: Int) -> UInt64 {
        guard let first = Int(exactly: offset)?.multipliedReportingOverflow(by: 8),
            !first.overflow
        else { return 0 }
        return state.withLock { state in
            var bits: UInt64 = 0
            for bit in 0..<(8 * min(max(width, 0), 8)) {
                let (index, overflow) = first.partialValue.addingReportingOverflow(bit)
                guard !overflow, index < count else { break }
                if state.pending[index] { bits |= 1 << UInt64(bit) }
            }
            return bits
        }
    }
}

extension MSIXTable.Entry {
    /// Writes one of the entry's four doublewords.
    fileprivate mutating func setWord(_ index: Int, to word: UInt32) {
        switch index {
        case 0: address = address & ~0xFFFF_FFFF | UInt64(word & ~3)
        case 1: address = address & 0xFFFF_FFFF | UInt64(word) << 32
        case 2: data = word
        default: isMasked = word & 1 != 0
        }
    }
}
