internal import CLinux
import Glibc

/// An IPv4 or IPv6 address without a port, as certificates carry it.
public struct IPAddress: Hashable, Sendable {
    /// 4 or 16 bytes, in network byte order. An IPv4 address that is written as IPv6
    /// (`::ffff:0:0/96`, RFC 4291 section 2.5.5.2) is kept as the IPv4 address it stands for.
    public let bytes: [UInt8]

    /// Takes 4 or 16 bytes in network byte order; nil for another number of them.
    public init?(bytes: [UInt8]) {
        let mappedPrefix = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]
        switch bytes.count {
        case 4: self.bytes = bytes
        case 16: self.bytes = bytes.starts(with: mappedPrefix) ? Array(bytes[12...]) : bytes
        default: return nil
        }
    }

    /// Reads an address as it is usually written, without brackets; nil for anything else, such
    /// as a name.
    public init?(_ text: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            // SAFETY: the library reads a terminated string and writes at most 16 bytes.
            let result = unsafe inet_pton(family, text, &bytes)
            if result == 1 {
                self.init(bytes: Array(bytes.prefix(count)))
                return
            }
        }
        return nil
    }
}

extension IPAddress: CustomStringConvertible {
    /// As it is usually written.
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        // SAFETY: the library reads as many bytes as the family has, and writes a terminated
        // string of at most `count` bytes.
        guard unsafe inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else {
            return "unknown address"
        }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension SocketAddress {
    /// The address without its port; nil for other than IP.
    public var ipAddress: IPAddress? {
        // SAFETY: the storage is at least as large as either kind, and all of it is initialized.
        switch Int32(storage.ss_family) {
        case AF_INET:
            IPAddress(bytes: unsafe withUnsafeBytes(of: storage) { unsafe Array($0[4..<8]) })
        case AF_INET6:
            IPAddress(bytes: unsafe withUnsafeBytes(of: storage) { unsafe Array($0[8..<24]) })
        default: nil
        }
    }
}
