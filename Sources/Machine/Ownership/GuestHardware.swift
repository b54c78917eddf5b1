public import GuestMemory

/// The machine of a guest, as the migration engines see it.
///
/// Two types satisfy it: the KVM machine, and the simulated machine in which the engines are
/// tested. The order in which the operations may come is not checked here but in the types that
/// own a machine (`VirtualMachine` and its relatives): nobody else calls these.
///
/// Every operation which throws leaves the machine as it was before the call.
public protocol GuestHardware: AnyObject, Sendable {
    /// The guest's RAM.
    var memory: GuestRAM { get }

    /// What a destination needs to build the same machine.
    func describe() throws(HardwareError) -> GuestDescription

    /// Does ahead of `release` what would take long then, such as flushing disks, while the guest
    /// runs. Best effort, and it changes nothing that would have to be undone: the guest may stay.
    func prepareToLeave()

    /// Prepares a destination's memory for the accesses of the guest that arrives, as far as that
    /// changes nothing in it, so that it is not slow at first. Best effort. Comes at most once and
    /// before `loadState`.
    func prepareMemory(_ memory: ArrivingMemory)

    /// What the guest did to its whole machine and nobody has acted on. Its vCPUs have stopped; the
    /// event is part of the state, and `start` tells it to the owner instead of running on.
    var pendingEvent: GuestEvent? { get }

    /// Begins to record which pages are written, by vCPUs and devices alike. Pages that have been
    /// touched before this returns may be in the record, or not: they are to be sent in any case.
    func startDirtyTracking() throws(HardwareError)

    /// Adds the pages that were written, and not forgotten since, to `pages`. They stay in the record
    /// until `forgetDirtyPages`, as far as the kernel lets them.
    func collectDirtyPages(into pages: inout PageSet) throws(HardwareError)

    /// Forgets those pages of a range that are in a set: whoever sends them calls this before they
    /// are read, so that what is written from then on is recorded. From any thread.
    ///
    /// - Parameter range: begins at a multiple of 64 and ends at one, or at the end of the region.
    func forgetDirtyPages(
        _ range: Range<Int>, of set: borrowing PageSet, inRegion index: Int
    ) throws(HardwareError)

    /// Lets the vCPUs of a guest that is tracked run for less of their time, so that it writes less:
    /// `percent` is taken away. 0, `stop` and `stopDirtyTracking` end that.
    func throttle(percent: Int) throws(HardwareError)

    /// Ends the record, and throttling; harmless when there is none.
    func stopDirtyTracking()

    /// Brings all vCPUs out of the guest, drains the devices' I/O in flight and pending
    /// interrupts. When it returns nothing writes to the guest's RAM.
    func stop() throws(HardwareError)

    /// Lets devices and vCPUs run, after `stop` or as the first start of a loaded machine, and tells
    /// the network where the guest is when it has arrived or was taken back since it ran last.
    func start() throws(HardwareError)

    /// The state of vCPUs, interrupt chip, clock and devices of a stopped machine.
    func saveState() throws(HardwareError) -> [UInt8]

    /// Saves and loads the state of a machine that has none yet, to find out how long that takes:
    /// the destination's word on the blackout to come. Changes nothing.
    ///
    /// - Returns: nanoseconds.
    func rehearseRestore() throws(HardwareError) -> UInt64

    /// Puts a saved state into a machine that never ran. Writes nothing to the guest's RAM: with
    /// a local migration the source still owns it.
    func loadState(_ state: [UInt8]) throws(HardwareError)

    /// Lets go of everything exclusive behind the devices (taps, disk locks) of a stopped
    /// machine, so that another process can take it.
    ///
    /// - Returns: the state of backends that travels with Takeover.
    func release() throws(HardwareError) -> [UInt8]

    /// Takes back what `release` let go.
    func reclaim() throws(HardwareError)

    /// Takes the exclusive backends over at the destination and does what had to wait for it,
    /// such as the MSRs whose restoring writes to the guest's RAM.
    func takeOver(_ backendState: [UInt8]) throws(HardwareError)

    /// Lets go of everything that was bound at a destination, which will not run the guest.
    func letGo()
}

/// How the memory of a guest comes to its destination.
public enum ArrivingMemory: Sendable {
    /// It is all there, and the guest at work in it. `prepareMemory` returns when it is done, after
    /// a second or two at most: the guest is not held up by it, but the migration is.
    case shared
    /// The set grows, on other threads, by the pages that have come or are about to.
    /// `prepareMemory` returns at once, and what it began ends with `loadState` or `letGo`.
    case copied(GrowingPageSet)
}

/// Builds machines at a destination.
public protocol GuestFactory: Sendable {
    /// The kind of machine.
    associatedtype Hardware: GuestHardware

    /// Builds a machine from its description: all devices there, nothing bound, no state.
    ///
    /// - Throws: when this host cannot run the guest, naming what it lacks.
    func configure(
        _ description: GuestDescription, memory: consuming IncomingMemory
    ) throws(HardwareError) -> Hardware
}
