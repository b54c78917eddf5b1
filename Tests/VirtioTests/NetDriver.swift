import Glibc
import GuestMemory
import LinuxSystem
import Synchronization
import Testing

@testable import Virtio

let guestAddress = EthernetAddress("02:00:00:00:00:02")

/// An interface on a tap that is created, with a host that answers at 192.0.2.1.
func netConfiguration(
    tap: String? = "guest0", queuePairs: Int = 1, offloads: Bool = true,
    maximumTransmissionUnit: UInt16? = 1400
) throws -> NetConfiguration {
    NetConfiguration(
        identifier: "_net0", tap: tap, address: try #require(guestAddress),
        maximumTransmissionUnit: maximumTransmissionUnit,
        hostAddress: .init(bytes: [192, 0, 2, 1], prefixLength: 24), queuePairs: queuePairs,
        queueSize: 64, offloadsChecksums: offloads, offloadsSegmentation: offloads,
        offloadsDatagrams: offloads)
}

let canMakeTaps = unsafe access("/dev/net/tun", R_OK | W_OK) == 0 && geteuid() == 0

/// Calls `body` on a thread in a network namespace of its own.
func inNamespace(_ body: @escaping @Sendable () throws -> Void) throws {
    final class Shared: Sendable {
        let failure = Mutex<(any Error)?>(nil)
    }
    let shared = Shared()
    let thread = try WorkerThread(name: "namespace") { _ in
        do {
            _ = try NetworkNamespace.enterNew()
            try body()
        } catch {
            shared.failure.withLock { $0 = error }
        }
    }
    thread.join()
    if let error = shared.failure.withLock({ $0 }) { throw error }
}

/// "Who has 192.0.2.1?", from the guest.
let askForHost: [UInt8] =
    [UInt8](repeating: 0xFF, count: 6) + [2, 0, 0, 0, 0, 2] + [0x08, 0x06]
    + [0, 1, 8, 0, 6, 4, 0, 1] + [2, 0, 0, 0, 0, 2] + [192, 0, 2, 2]
    + [0, 0, 0, 0, 0, 0] + [192, 0, 2, 1]

func isAnswerOfHost(_ frame: [UInt8]) -> Bool {
    frame.count >= 42 && Array(frame[12..<14]) == [0x08, 0x06] && frame[21] == 2
        && Array(frame[28..<32]) == [192, 0, 2, 1]
}

/// A driver of a network interface with one pair of queues.
struct NetDriver {
    private static let bufferSize: UInt32 = 2048
    private static let receiveBuffers: UInt64 = 0x4_0000
    private static let transmitBuffer: UInt64 = 0x8_0000
    private static let commandBuffer: UInt64 = 0x9_0000

    var rings: [DriverRing]
    private(set) var notify: (Int) -> Void
    private let control: Int

    init(_ fixture: TransportFixture, features: VirtioFeatures? = nil) throws {
        rings = fixture.start(queueSize: 64, features: features)
        control = rings.count - 1
        notify = { fixture.notify($0) }
    }

    mutating func attach(_ fixture: TransportFixture) {
        notify = { fixture.notify($0) }
    }

    mutating func offerBuffers(_ count: Int) throws {
        for index in 0..<count {
            try rings[0].stage([
                .writable(Self.receiveBuffers + UInt64(index) * 2048, Self.bufferSize)
            ])
        }
        try rings[0].publish()
        notify(0)
    }

    mutating func send(_ frame: [UInt8]) throws {
        let header = [UInt8](repeating: 0, count: 12)
        try rings[1].memory.write(header + frame, at: GuestAddress(Self.transmitBuffer))
        try rings[1].offer([.readable(Self.transmitBuffer, UInt32(12 + frame.count))])
        notify(1)
    }

    /// Waits for the frame that is looked for, and gives each buffer back.
    mutating func receive(
        _ fixture: TransportFixture, _ isWanted: ([UInt8]) -> Bool
    ) throws -> [UInt8] {
        while true {
            for used in try fixture.waitForUsed(&rings[0], 1) {
                let place = try rings[0].memory.load(
                    UInt64.self,
                    at: rings[0].layout.descriptorTable.plus(16 * UInt64(used.head)))
                let bytes = try rings[0].memory.read(
                    at: GuestAddress(place), count: Int(used.written))
                #expect(Array(bytes[10..<12]) == [1, 0])
                try rings[0].offer([.writable(place, Self.bufferSize)])
                notify(0)
                let frame = Array(bytes[12...])
                if isWanted(frame) { return frame }
            }
        }
    }

    /// Sends a command with the control queue and waits for its answer.
    mutating func command(_ bytes: [UInt8], _ fixture: TransportFixture) throws -> UInt8 {
        let memory = rings[control].memory
        try memory.write(bytes + [0xEE], at: GuestAddress(Self.commandBuffer))
        let answer = Self.commandBuffer + UInt64(bytes.count)
        try rings[control].offer([
            .readable(Self.commandBuffer, UInt32(bytes.count)), .writable(answer, 1),
        ])
        notify(control)
        _ = try fixture.waitForUsed(&rings[control], 1)
        return try memory.load(UInt8.self, at: GuestAddress(answer))
    }
}
