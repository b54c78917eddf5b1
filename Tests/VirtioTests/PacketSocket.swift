import Glibc
import LinuxSystem
import Testing

@testable import Virtio

/// A socket at the host's side of a tap that sends and receives whole frames (packet(7)), each
/// behind the header of 10 bytes that tells what the other side has still to do with it.
struct PacketSocket: ~Copyable {
    static let headerSize = 10
    private let descriptor: OwnedDescriptor

    /// A socket on the interface of this name for frames of one type, or of all.
    init(_ interface: String, type: UInt16 = 3) throws {
        let (family, level, headers): (Int32, Int32, Int32) = (17, 263, 15)
        let number = socket(family, 3, Int32(type.bigEndian))
        try #require(number >= 0)
        let opened = try OwnedDescriptor(adopting: number, name: "a packet socket")
        var isOn: Int32 = 1
        // SAFETY: the kernel reads an int.
        try #require(unsafe setsockopt(number, level, headers, &isOn, 4) == 0)
        let index = unsafe if_nametoindex(interface)
        // Family, type, number of the interface, and an address that is not used.
        let address =
            [17, 0, UInt8(type >> 8), UInt8(type & 0xFF)]
            + (0..<4).map { UInt8(truncatingIfNeeded: index >> (8 * UInt32($0))) }
            + [UInt8](repeating: 0, count: 12)
        let result = unsafe address.withUnsafeBytes { bytes in
            unsafe bytes.withMemoryRebound(to: sockaddr.self) {
                // SAFETY: the kernel reads the 20 bytes of a `sockaddr_ll`.
                unsafe bind(number, $0.baseAddress, 20)
            }
        }
        try #require(result == 0)
        descriptor = opened
    }

    func send(_ frame: [UInt8], header: [UInt8] = [UInt8](repeating: 0, count: 10)) throws {
        try descriptor.writeAll(header + frame)
    }

    /// The next frame behind its header that is wanted.
    func receive(
        milliseconds: Int = 20_000, _ isWanted: ([UInt8]) -> Bool = { _ in true }
    ) throws -> [UInt8] {
        let deadline = MonotonicInstant.after(milliseconds: milliseconds)
        while true {
            try descriptor.wait(for: .readable, deadline: deadline)
            let frame = try descriptor.read(maximum: 1 << 17)
            if isWanted(frame) { return frame }
        }
    }
}

/// A TCP packet over IPv4 to cut into pieces of 1000 bytes, as a kernel hands it on: its checksum
/// not computed, `count` bytes of contents in a known pattern.
func largePacket(to address: EthernetAddress?, _ count: Int) -> (header: [UInt8], frame: [UInt8]) {
    func big(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)] }
    func little(_ value: Int) -> [UInt8] { big(value).reversed() }
    // Flags, kind, length of all headers, size of pieces, start and place of the checksum.
    let header: [UInt8] = [1, 1] + little(54) + little(1000) + little(34) + little(16)
    let ethernet = (address?.bytes ?? []) + [2, 0, 0, 0, 0, 9, 0x08, 0x00]
    let addresses: [UInt8] = [192, 0, 2, 1, 192, 0, 2, 2]
    let internet: [UInt8] = [0x45, 0] + big(40 + count) + [0, 1, 0x40, 0, 64, 6, 0, 0] + addresses
    let sum = addresses.indices.reduce(6 + 20 + count) { sum, index in
        sum + (index.isMultiple(of: 2) ? Int(addresses[index]) << 8 : Int(addresses[index]))
    }
    let pseudo = big(sum % 0xFFFF)
    let control: [UInt8] =
        [0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xFF, 0xFF] + pseudo + [0, 0]
    let contents = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
    return (header, ethernet + internet + control + contents)
}
