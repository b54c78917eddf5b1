import LinuxSystem
import Machine
import Synchronization

/// Records what the router asks of the kernel.
final class RecordingChip: InterruptChip {
    let tables = Mutex<[[InterruptRoute]]>([])
    let attached = Mutex<[UInt32]>([])
    let detached = Mutex<[UInt32]>([])
    let refusesRoutes = Atomic(false)

    func setRoutes(_ routes: [InterruptRoute]) throws(SystemError) {
        if refusesRoutes.load(ordering: .relaxed) {
            throw SystemError("set", "routes", .invalidArgument)
        }
        tables.withLock { $0.append(routes) }
    }

    func attach(_ event: borrowing EventDescriptor, to gsi: UInt32) throws(SystemError) {
        attached.withLock { $0.append(gsi) }
    }

    func detach(_ event: borrowing EventDescriptor, from gsi: UInt32) throws(SystemError) {
        attached.withLock { $0.removeAll { $0 == gsi } }
        detached.withLock { $0.append(gsi) }
    }

    var attachedNow: Set<UInt32> { attached.withLock { Set($0) } }

    var messages: [InterruptRoute] {
        (tables.withLock { $0.last } ?? []).filter {
            if case .message = $0 { true } else { false }
        }
    }
}
