import Glibc
import LinuxSystem
import Synchronization
import Testing

private let canMakeTaps = unsafe access("/dev/net/tun", R_OK | W_OK) == 0 && geteuid() == 0

/// Each test runs on a thread in a network namespace of its own, so that nothing of the host's
/// network is touched and nothing is left behind.
@Suite(.enabled(if: canMakeTaps, "needs /dev/net/tun and root"))
struct TapTests {
    @Test(
        arguments: [
            ("6.2.0", true), ("6.12.107-amd64", true), ("7.0", true), ("6.1.99", false),
            ("5.15.0-1", false), ("6", false), ("", false), ("x.y", false),
        ])
    func datagramsAreCutByKernelsThatCan(release: String, expected: Bool) {
        #expect(Tap.hasDatagramSegmentation(release: release) == expected)
    }

    @Test func kernelThatSaysSoTakesPacketsOfDatagrams() throws {
        try inNamespace {
            let tap = try Tap(name: "first0")
            let all: Tap.Offloads = [
                .checksum, .segmentation4, .segmentation6, .congestionNotification,
                .fragmentation, .datagramSegmentation,
            ]
            guard Tap.segmentsDatagrams else {
                #expect(throws: SystemError.self) { try tap.set(all) }
                return
            }
            try tap.set(all)
        }
    }

    @Test func createdTapHasTheNameAndTheSettings() throws {
        try inNamespace {
            let tap = try Tap(name: "first0")
            try tap.interface.setMaximumTransmissionUnit(1400)
            try tap.interface.setHardwareAddress([2, 0, 0, 0, 0, 1])
            try tap.interface.setAddress([192, 0, 2, 1], prefixLength: 24)
            try tap.interface.bringUp()
            try tap.set([.checksum, .segmentation4])

            #expect(tap.interface.name == "first0")
            #expect(try tap.interface.maximumTransmissionUnit == 1400)
        }
    }

    @Test func emptyNameLetsTheKernelChoose() throws {
        try inNamespace {
            let tap = try Tap(name: "")
            #expect(tap.interface.name.hasPrefix("tap"))
        }
    }

    @Test func busyTapIsNamedWithAdvice() throws {
        try inNamespace {
            let tap = try Tap(name: "busy0")
            let error = #expect(throws: SystemError.self) {
                _ = try Tap(name: tap.interface.name)
            }
            #expect(error?.errno == .busy)
            #expect(error?.object == "tap busy0")
            #expect(error?.advice != nil)
        }
    }

    @Test func secondQueueIsOpenedByName() throws {
        try inNamespace {
            let first = try Tap(name: "queues0", multipleQueues: true)
            let second = try Tap(name: "queues0", multipleQueues: true)
            try second.setAttached(false)
            try second.setAttached(true)

            #expect(first.interface.name == second.interface.name)
        }
    }

    @Test func persistentTapOutlivesItsDescriptor() throws {
        try inNamespace {
            do {
                let tap = try Tap(name: "stays0")
                try tap.setPersistent(true)
            }
            #expect(try NetworkInterface(name: "stays0").maximumTransmissionUnit == 1500)
            try Tap(name: "stays0").setPersistent(false)
            #expect(throws: SystemError.self) {
                try NetworkInterface(name: "stays0").bringUp()
            }
        }
    }

    @Test func adoptedTapKnowsItsName() throws {
        try inNamespace {
            let tap = try Tap(name: "passed0")

            let adopted = try Tap(adopting: tap.descriptor.duplicate())

            #expect(adopted.interface.name == "passed0")
        }
    }

    @Test func descriptorThatIsNoTapIsRefused() throws {
        let event = try EventDescriptor(name: "no tap")

        #expect(throws: SystemError.self) {
            _ = try Tap(adopting: event.descriptor.duplicate())
        }
    }

    @Test func leavingANamespaceLeavesItsInterfaces() throws {
        try inNamespace {
            let outer = try NetworkNamespace.current()
            let inner = try NetworkNamespace.enterNew()
            let tap = try Tap(name: "inner0")
            try outer.enter()
            let error = #expect(throws: SystemError.self) {
                _ = try tap.interface.maximumTransmissionUnit
            }
            try inner.enter()

            #expect(error?.errno == .noSuchDevice)
            #expect(try tap.interface.maximumTransmissionUnit == 1500)
        }
    }

    @Test func nameThatIsTooLongIsRefused() throws {
        let error = #expect(throws: SystemError.self) { _ = try Tap(name: "sixteen-letters-") }
        #expect(error?.errno == .nameTooLong)
    }

    private func inNamespace(_ body: @escaping @Sendable () throws -> Void) throws {
        let failure = Mutex<(any Error)?>(nil)
        let box = Box(failure)
        let thread = try WorkerThread(name: "namespace") { _ in
            do {
                _ = try NetworkNamespace.enterNew()
                try body()
            } catch {
                box.value.withLock { $0 = error }
            }
        }
        thread.join()
        if let error = box.value.withLock({ $0 }) { throw error }
    }
}

/// Holds a mutex that a closure can hold.
final class Box<Value: ~Copyable & Sendable>: Sendable {
    let value: Value
    init(_ value: consuming Value) { self.value = value }
}
