internal import CLinux
import Glibc

/// The settings of a network interface of the calling thread's network namespace, by its name.
public struct NetworkInterface: Sendable {
    /// The name, at most 15 bytes.
    public let name: String

    /// An interface that may or may not exist.
    public init(name: String) {
        self.name = name
    }

    /// Brings the interface up.
    public func bringUp() throws(SystemError) {
        let current = try unsafe query(CLINUX_SIOCGIFFLAGS, "query") {
            unsafe $0.ifr_ifru.ifru_flags
        }
        try unsafe change(CLINUX_SIOCSIFFLAGS, "bring up") { request in
            unsafe request.ifr_ifru.ifru_flags = current | Int16(IFF_UP)
        }
    }

    /// The largest packet, in bytes without the Ethernet header.
    public var maximumTransmissionUnit: Int {
        get throws(SystemError) {
            Int(try unsafe query(CLINUX_SIOCGIFMTU, "query") { unsafe $0.ifr_ifru.ifru_mtu })
        }
    }

    /// Sets the largest packet, in bytes without the Ethernet header.
    public func setMaximumTransmissionUnit(_ bytes: Int) throws(SystemError) {
        try unsafe change(CLINUX_SIOCSIFMTU, "set the MTU of") { request in
            unsafe request.ifr_ifru.ifru_mtu = Int32(clamping: bytes)
        }
    }

    /// Sets the Ethernet address. Most interfaces must be down for that.
    public func setHardwareAddress(_ address: [6 of UInt8]) throws(SystemError) {
        try unsafe change(CLINUX_SIOCSIFHWADDR, "set the Ethernet address of") { request in
            unsafe request.ifr_ifru.ifru_hwaddr.sa_family = sa_family_t(ARPHRD_ETHER)
            unsafe withUnsafeMutableBytes(of: &request.ifr_ifru.ifru_hwaddr.sa_data) { bytes in
                for index in address.indices { unsafe bytes[index] = address[index] }
            }
        }
    }

    /// Sets the IPv4 address and the length of its network's prefix, 0...32.
    public func setAddress(_ address: [4 of UInt8], prefixLength: Int) throws(SystemError) {
        let bits = max(0, min(32, prefixLength))
        let mask = bits == 0 ? 0 : UInt32.max << UInt32(32 - bits)
        let maskBytes: [4 of UInt8] = [
            UInt8(mask >> 24), UInt8(mask >> 16 & 0xff), UInt8(mask >> 8 & 0xff),
            UInt8(mask & 0xff),
        ]
        try unsafe change(CLINUX_SIOCSIFADDR, "set the address of") {
            unsafe $0.setInternet(address)
        }
        try unsafe change(CLINUX_SIOCSIFNETMASK, "set the network of") {
            unsafe $0.setInternet(maskBytes)
        }
    }

    private func query<Value>(
        _ request: UInt, _ operation: String, _ value: (ifreq) -> Value
    ) throws(SystemError) -> Value {
        unsafe value(try perform(request, operation) { _ in })
    }

    private func change(
        _ request: UInt, _ operation: String, _ prepare: (inout ifreq) -> Void
    ) throws(SystemError) {
        _ = try unsafe perform(request, operation, prepare)
    }

    /// Any socket will do to reach the namespace's interfaces.
    private func perform(
        _ request: UInt, _ operation: String, _ prepare: (inout ifreq) -> Void
    ) throws(SystemError) -> ifreq {
        let object = "network interface \(name)"
        let descriptor = try newSocket(AF_INET, object)
        var structure = unsafe ifreq()
        // SAFETY: the name is a terminated string, and the kernel reads and writes the local.
        _ = try check(unsafe clinux_name_interface(&structure, name), operation, object)
        unsafe prepare(&structure)
        let result = unsafe clinux_ioctl_pointer(descriptor.rawValue, request, &structure)
        guard result >= 0 else {
            let errno = Errno(rawValue: -result)
            let advice = errno == .notPermitted ? "CAP_NET_ADMIN is needed" : nil
            throw SystemError(operation, object, errno, advice: advice)
        }
        return unsafe structure
    }
}

extension ifreq {
    /// Puts an IPv4 address, in the order in which it is written, where the kernel expects it.
    fileprivate mutating func setInternet(_ address: [4 of UInt8]) {
        unsafe ifr_ifru.ifru_addr.sa_family = sa_family_t(AF_INET)
        // SAFETY: `sockaddr_in` has the address after family and port, 2 bytes into `sa_data`.
        unsafe withUnsafeMutableBytes(of: &ifr_ifru.ifru_addr.sa_data) { bytes in
            for index in address.indices { unsafe bytes[2 + index] = address[index] }
        }
    }
}
