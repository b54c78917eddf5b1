internal import CLinux
import Glibc

/// Where a TCP connection goes to or comes from: an IPv4 or IPv6 address and a port.
public struct SocketAddress: Sendable, CustomStringConvertible {
    /// The address as the kernel keeps it, in network byte order.
    let storage: sockaddr_storage
    /// How many bytes of it count.
    let length: socklen_t

    /// Finds the addresses of `host:port` or `[IPv6]:port`, in the order to try them. Asks the
    /// name service, which can take seconds, if the host is not a number.
    /// - Parameter listening: An empty host then means every address of this machine.
    /// - Throws: `.invalidArgument` for text of another form, `.noSuchAddress` for unknown names.
    public static func resolve(
        _ text: String, listening: Bool = false
    ) throws(SystemError) -> [SocketAddress] {
        guard let (host, port) = split(text), listening || !host.isEmpty else {
            throw SystemError(
                "understand", "address \"\(text)\"", .invalidArgument,
                advice: "write host:port or [IPv6 address]:port, with a port of 0 to 65535")
        }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICSERV | (listening ? AI_PASSIVE : 0)
        var first: UnsafeMutablePointer<addrinfo>?
        // SAFETY: all arguments live for the length of the call; the list is freed below.
        let failure = unsafe getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &first)
        guard failure == 0 else {
            // SAFETY: the library's texts are constant, terminated strings.
            let text = unsafe String(cString: gai_strerror(failure))
            throw SystemError("find", "host \(host)", .noSuchAddress, advice: text)
        }
        defer { unsafe freeaddrinfo(first) }
        var addresses: [SocketAddress] = []
        var next = unsafe first
        while let entry = unsafe next?.pointee {
            // SAFETY: the list's addresses are valid until it is freed.
            if let bytes = unsafe entry.ai_addr {
                unsafe addresses.append(SocketAddress(copying: bytes, length: entry.ai_addrlen))
            }
            unsafe next = entry.ai_next
        }
        return addresses
    }

    /// The host and the port of `host:port` or `[host]:port`.
    static func split(_ text: String) -> (host: String, port: UInt16)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(where: { ":[]".contains($0) }) {
            return nil
        }
        return (String(host), port)
    }

    /// Copies an address of the kernel.
    private init(copying bytes: UnsafePointer<sockaddr>, length: socklen_t) {
        var storage = sockaddr_storage()
        let count = min(Int(length), MemoryLayout<sockaddr_storage>.size)
        // SAFETY: `length` bytes are valid at `bytes`, and no more than fit are copied.
        unsafe withUnsafeMutableBytes(of: &storage) {
            unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: bytes, count: count))
        }
        self.storage = storage
        self.length = socklen_t(count)
    }

    /// What `getpeername` or `getsockname` says.
    init(
        of descriptor: borrowing OwnedDescriptor,
        by call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) throws(SystemError) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // SAFETY: the kernel writes at most `length` bytes to the local.
        let result = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                retrying { unsafe call(descriptor.rawValue, address, &length) }
            }
        }
        _ = try check(result, "find the address of", descriptor.name)
        self.storage = storage
        self.length = length
    }

    /// Calls `body` with the address as the C library takes it.
    func withAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        // SAFETY: every socket address starts as `sockaddr` does.
        unsafe withUnsafePointer(to: storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe body(address, length)
            }
        }
    }

    /// Whether it can only be this machine: 127.0.0.0/8, ::1, or the former written as IPv6.
    public var isLoopback: Bool {
        // SAFETY: the storage is at least as large as either kind, and all of it is initialized.
        switch Int32(storage.ss_family) {
        case AF_INET:
            let bytes = unsafe withUnsafeBytes(of: storage) { unsafe $0[4] }
            return bytes == 127
        case AF_INET6:
            let bytes = unsafe withUnsafeBytes(of: storage) { unsafe Array($0[8..<24]) }
            let zeros = bytes.prefix(10).allSatisfy { $0 == 0 }
            let mapped = bytes[10] == 0xff && bytes[11] == 0xff && bytes[12] == 127
            let one = bytes[10..<15].allSatisfy { $0 == 0 } && bytes[15] == 1
            return zeros && (mapped || one)
        default:
            return false
        }
    }

    /// The port, 0 for other than IP.
    public var port: UInt16 {
        switch Int32(storage.ss_family) {
        case AF_INET, AF_INET6:
            // SAFETY: both kinds have the port after the family, in network byte order.
            unsafe withUnsafeBytes(of: storage) {
                unsafe UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
            }
        default: 0
        }
    }

    /// "127.0.0.1:80" or "[::1]:80".
    public var description: String {
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let capacity = socklen_t(host.count)
        // SAFETY: the library writes a terminated string of at most `capacity` bytes.
        let failure = unsafe withAddress { address, length in
            unsafe getnameinfo(address, length, &host, capacity, nil, 0, NI_NUMERICHOST)
        }
        guard failure == 0 else { return "unknown address" }
        let text = String(
            decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.contains(":") ? "[\(text)]:\(port)" : "\(text):\(port)"
    }
}
