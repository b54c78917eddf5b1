public import StateCoding
internal import Synchronization

/// What a function does beyond its configuration space. Calls come with the function locked, so
/// none of these may call the function back.
public protocol PCIFunctionOwner: AnyObject, Sendable {
    /// The device that answers in a memory range of the function; nil when nothing does.
    func device(behind register: BaseAddressRegister) -> (any BusDevice)?

    /// A memory range of the function begins to answer at `address`, or, for nil, answers nowhere.
    func rangeMoved(_ register: BaseAddressRegister, to address: UInt64?)
}

/// One PCI function at work: its configuration space, and its memory ranges on the bus of
/// memory-mapped addresses, which follow what the guest writes.
///
/// A range answers while memory decoding is on and its address lies in a window of the host bridge
/// where nothing else is; a guest that puts it elsewhere (also in passing, while it probes sizes)
/// finds all ones there.
public final class PCIFunction: Sendable {
    private struct State {
        var space: ConfigurationSpace
        /// Where each base address register answers, by its place in `space.baseAddresses`.
        var mapped: [Range<UInt64>?]
        weak var owner: (any PCIFunctionOwner)?
        weak var memory: IOBus?
        var windows: [Range<UInt64>] = []
    }

    /// The MSI-X structures, if the function has interrupts.
    public let msix: MSIXTable?

    private let state: Mutex<State>
    /// Offset of the MSI-X message control register.
    private let msixControl: Int?

    /// A function that is not on a bus yet.
    ///
    /// - Parameters:
    ///   - space: with all capabilities but MSI-X.
    ///   - msix: the vectors and where their structures are in the function's memory ranges.
    public init(space: ConfigurationSpace, msix: (table: MSIXTable, place: MSIXPlace)? = nil) {
        var space = space
        if let msix {
            let offset = space.appendCapability(
                MSIXPlace.capability, contents: msix.place.contents(count: msix.table.count),
                writable: [0x00, 0xC0])
            msixControl = offset + 2
        } else {
            msixControl = nil
        }
        self.msix = msix?.table
        state = Mutex(
            State(
                space: space,
                mapped: Array(repeating: nil, count: space.baseAddresses.count)))
    }

    /// The base address registers of the function.
    public var baseAddresses: [BaseAddressRegister] {
        state.withLock { $0.space.baseAddresses }
    }

    /// The addresses in the base address registers, whether the function answers there or not; those
    /// are left out that no range can have.
    public var ranges: [(register: BaseAddressRegister, addresses: Range<UInt64>)] {
        state.withLock { state in
            state.space.baseAddresses.compactMap { register in
                let start = state.space.address(of: register)
                let (end, overflow) = start.addingReportingOverflow(register.size)
                return overflow ? nil : (register, start..<end)
            }
        }
    }

    /// Connects the function to its owner and to the addresses that it can answer at.
    ///
    /// - Parameters:
    ///   - owner: kept weakly, it owns the function.
    ///   - memory: kept weakly, it reaches the function.
    ///   - windows: where ranges may lie.
    ///   - addresses: where ranges lie at first, in the order of `baseAddresses`.
    func connect(
        owner: any PCIFunctionOwner, memory: IOBus, windows: [Range<UInt64>], addresses: [UInt64]
    ) {
        state.withLock { state in
            state.owner = owner
            state.memory = memory
            state.windows = windows
            for (register, address) in zip(state.space.baseAddresses, addresses) {
                state.space.setAddress(address, of: register)
            }
            apply(&state)
        }
    }

    /// Takes all ranges off the bus for good.
    func disconnect() {
        state.withLock { state in
            unmapAll(&state)
            state.owner = nil
            state.memory = nil
        }
    }

    /// Reads 1, 2 or 4 bytes of the configuration space.
    public func readConfiguration(offset: Int, width: Int) -> UInt32 {
        state.withLock { $0.space.read(offset: offset, width: width) }
    }

    /// Writes 1, 2 or 4 bytes of the configuration space, with the effects that this has.
    public func writeConfiguration(offset: Int, width: Int, value: UInt32) {
        state.withLock { state in
            state.space.write(offset: offset, width: width, value: value)
            apply(&state)
        }
    }

    /// Writes configuration space and vectors.
    public func save(into writer: inout StateWriter) {
        writer.append(PCIFunctionState(bytes: state.withLock { $0.space.bytes }))
        if let msix { writer.append(msix.savedState) }
    }

    /// Reads what `save` wrote, and puts ranges and routes in place.
    ///
    /// - Throws: when the state is of another kind of function.
    public func load(from reader: inout StateReader) throws(StateError) {
        let saved = try reader.read(PCIFunctionState.self)
        let vectors = try msix.map { msix throws(StateError) in
            let vectors = try reader.read(MSIXTableState.self)
            guard vectors.entries.count == msix.count else {
                throw reader.invalid("it has \(vectors.entries.count) vectors, not \(msix.count)")
            }
            return vectors
        }
        let conflict = state.withLock { state -> Int? in
            if let conflict = state.space.restore(saved.bytes) { return conflict }
            if let vectors {
                msix?.restore(entries: vectors.entries, pending: vectors.pending)
            }
            apply(&state)
            return nil
        }
        if let conflict {
            throw reader.invalid("configuration byte \(conflict) is that of another function")
        }
    }

    /// Brings the outside in line with the configuration space.
    private func apply(_ state: inout State) {
        if let msixControl, let msix {
            let control = state.space.read(offset: msixControl, width: 2)
            msix.setControl(
                isEnabled: control & 1 << 15 != 0, isFunctionMasked: control & 1 << 14 != 0)
        }
        let wanted = state.space.baseAddresses.map { wantedRange($0, state) }
        guard wanted != state.mapped else { return }
        for index in wanted.indices where wanted[index] != state.mapped[index] {
            unmap(index, &state)
        }
        for index in wanted.indices where wanted[index] != state.mapped[index] {
            if let range = wanted[index] { map(index, at: range, &state) }
        }
    }

    private func wantedRange(_ register: BaseAddressRegister, _ state: State) -> Range<UInt64>? {
        guard state.space.decodesMemory else { return nil }
        let address = state.space.address(of: register)
        let (end, overflow) = address.addingReportingOverflow(register.size)
        guard !overflow,
            state.windows.contains(where: { $0.lowerBound <= address && end <= $0.upperBound })
        else { return nil }
        return address..<end
    }

    private func map(_ index: Int, at range: Range<UInt64>, _ state: inout State) {
        let register = state.space.baseAddresses[index]
        guard let owner = state.owner, let memory = state.memory,
            let device = owner.device(behind: register)
        else { return }
        do throws(BusError) {
            try memory.insert(device, at: range)
        } catch {
            // The guest has put two ranges at one address: the later one answers nowhere until
            // it is moved, as with any bridge.
            return
        }
        state.mapped[index] = range
        owner.rangeMoved(register, to: range.lowerBound)
    }

    private func unmap(_ index: Int, _ state: inout State) {
        guard let range = state.mapped[index] else { return }
        state.owner?.rangeMoved(state.space.baseAddresses[index], to: nil)
        state.memory?.remove(at: range)
        state.mapped[index] = nil
    }

    private func unmapAll(_ state: inout State) {
        for index in state.mapped.indices { unmap(index, &state) }
    }
}
