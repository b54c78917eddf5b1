internal import CLinux
import Glibc

/// One queue of a tap: an Ethernet interface of the host whose other end is this descriptor. Each
/// read and write is one packet behind a virtio-net header of 12 bytes, little-endian.
public struct Tap: ~Copyable, Sendable {
    /// For pollers, vhost-net, and passing. Does not wait.
    public let descriptor: OwnedDescriptor
    /// The interface at the host's side.
    public let interface: NetworkInterface

    /// The size of `virtio_net_hdr_v1`, which precedes each packet, in bytes.
    public static let headerSize = 12

    /// The most bytes that a packet has, its header included: the longest that the kernel leaves to
    /// others to cut (64 KiB behind an Ethernet header with a tag), and some more to be safe.
    public static let maximumPacketSize = headerSize + 65_536 + 128

    /// What the guest's network device and the host can leave to each other.
    public struct Offloads: OptionSet, Sendable {
        /// The bits of TUNSETOFFLOAD.
        public let rawValue: UInt32

        /// Bits of TUNSETOFFLOAD.
        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// Packets without their checksum.
        public static let checksum = Offloads(rawValue: UInt32(TUN_F_CSUM))
        /// Large TCP packets over IPv4.
        public static let segmentation4 = Offloads(rawValue: UInt32(TUN_F_TSO4))
        /// Large TCP packets over IPv6.
        public static let segmentation6 = Offloads(rawValue: UInt32(TUN_F_TSO6))
        /// Large TCP packets with explicit congestion notification.
        public static let congestionNotification = Offloads(rawValue: UInt32(TUN_F_TSO_ECN))
        /// Large UDP datagrams over IPv4, to be sent in fragments.
        public static let fragmentation = Offloads(rawValue: UInt32(TUN_F_UFO))
        /// Large packets of many UDP datagrams, over IPv4 and IPv6, which the kernel has together.
        public static let datagramSegmentation = Offloads(
            rawValue: UInt32(TUN_F_USO4 | TUN_F_USO6))
    }

    /// Opens a queue of the tap of this name, which is created if it does not exist. An empty name
    /// or one with %d lets the kernel choose.
    /// - Parameters:
    ///   - name: At most 15 bytes.
    ///   - multipleQueues: The tap has or can get more than one queue; must be as it was created.
    /// - Throws: `.busy` when another process has the tap open, `.notPermitted` without
    ///   CAP_NET_ADMIN unless the tap belongs to the user.
    public init(name: String, multipleQueues: Bool = false) throws(SystemError) {
        let object = name.isEmpty ? "a new tap" : "tap \(name)"
        let descriptor = try Tap.openDevice()
        var request = unsafe ifreq()
        // SAFETY: the name is a terminated string, and the kernel reads and writes the local.
        _ = try check(unsafe clinux_name_interface(&request, name), "open", object)
        let queues = multipleQueues ? IFF_MULTI_QUEUE : 0
        unsafe request.ifr_ifru.ifru_flags = Int16(
            truncatingIfNeeded: Tap.requiredFlags | queues)
        let result = unsafe clinux_ioctl_pointer(
            descriptor.rawValue, CLINUX_TUNSETIFF, &request)
        guard result >= 0 else {
            let reason = Errno(rawValue: -result)
            throw SystemError("open", object, reason, advice: Tap.advice(for: reason))
        }
        let actualName = unsafe Tap.name(of: request)
        try self.init(
            configuring: OwnedDescriptor(
                owning: descriptor.take(), name: "tap \(actualName)"), actualName)
    }

    /// Takes over a queue that another process has opened. Its settings become what this type
    /// expects; they are that already, and nothing changes for the other owner, when that is a
    /// `Tap` too.
    /// - Throws: `.notSupported` for a tun without Ethernet, or with other headers.
    public init(adopting descriptor: consuming OwnedDescriptor) throws(SystemError) {
        var request = unsafe ifreq()
        // SAFETY: the kernel fills the local.
        _ = try check(
            unsafe clinux_ioctl_pointer(descriptor.rawValue, CLINUX_TUNGETIFF, &request),
            "use as a tap", descriptor.name)
        let flags = unsafe Int32(request.ifr_ifru.ifru_flags)
        guard flags & Tap.requiredFlags == Tap.requiredFlags else {
            throw SystemError(
                "use as a tap", descriptor.name, .notSupported,
                advice: "it must be made with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR")
        }
        try descriptor.setNonblocking(true)
        let name = unsafe Tap.name(of: request)
        try self.init(configuring: descriptor, name)
    }

    private init(
        configuring descriptor: consuming OwnedDescriptor, _ name: String
    ) throws(SystemError) {
        var size = Int32(Tap.headerSize)
        var littleEndian: Int32 = 1
        // SAFETY: both requests read an int.
        _ = try check(
            unsafe clinux_ioctl_constant(descriptor.rawValue, CLINUX_TUNSETVNETHDRSZ, &size),
            "set the header of", descriptor.name)
        _ = try check(
            unsafe clinux_ioctl_constant(descriptor.rawValue, CLINUX_TUNSETVNETLE, &littleEndian),
            "set the header of", descriptor.name)
        self.descriptor = descriptor
        self.interface = NetworkInterface(name: name)
    }

    /// Sets what the host may leave to whoever reads this queue.
    public func set(_ offloads: Offloads) throws(SystemError) {
        _ = try check(
            clinux_ioctl_value(
                descriptor.rawValue, CLINUX_TUNSETOFFLOAD, UInt(offloads.rawValue)),
            "set the offloads of", descriptor.name)
    }

    /// Lets the interface stay when its last descriptor is closed, or not.
    public func setPersistent(_ persistent: Bool) throws(SystemError) {
        _ = try check(
            clinux_ioctl_value(
                descriptor.rawValue, CLINUX_TUNSETPERSIST, persistent ? 1 : 0),
            "keep", descriptor.name)
    }

    /// Attaches or detaches this queue of a tap with several: detached it gets no packets, and
    /// another process's queue can take its place.
    public func setAttached(_ attached: Bool) throws(SystemError) {
        var request = unsafe ifreq()
        unsafe request.ifr_ifru.ifru_flags = Int16(
            truncatingIfNeeded: attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE)
        // SAFETY: the kernel reads the local.
        _ = try check(
            unsafe clinux_ioctl_pointer(descriptor.rawValue, CLINUX_TUNSETQUEUE, &request),
            attached ? "attach a queue of" : "detach a queue of", descriptor.name)
    }

    /// Ethernet packets, with nothing before them but the virtio-net header.
    private static let requiredFlags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR

    /// Whether this host's kernel has `Offloads.datagramSegmentation`: Linux 6.2 and later do. It
    /// can be tried with an open tap only, which is too late for a device's features.
    public static var segmentsDatagrams: Bool {
        var name = utsname()
        // SAFETY: the kernel fills the local with terminated strings.
        guard unsafe uname(&name) == 0 else { return false }
        let release = unsafe withUnsafeBytes(of: name.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return hasDatagramSegmentation(release: release)
    }

    /// Whether the kernel of a release such as "6.12.10-amd64" has it.
    package static func hasDatagramSegmentation(release: String) -> Bool {
        let parts = release.split(separator: ".").map { Int($0.prefix { $0.isNumber }) ?? 0 }
        guard let major = parts.first else { return false }
        return (major, parts.count > 1 ? parts[1] : 0) >= (6, 2)
    }

    /// Finds out whether this process can use taps at all, without opening one.
    public static func checkAvailability() throws(SystemError) {
        _ = try openDevice()
    }

    private static func openDevice() throws(SystemError) -> OwnedDescriptor {
        try OwnedDescriptor(
            opening: "/dev/net/tun", [.write, .nonblocking],
            advice: "the tun module must be loaded, and the user allowed to open the device")
    }

    private static func advice(for reason: Errno) -> String? {
        switch reason {
        case .busy: "another process has it open; stop that or choose another tap"
        case .notPermitted: "CAP_NET_ADMIN is needed, or a tap that belongs to this user"
        case .invalidArgument:
            "it exists as another kind of interface, or with another number of queues"
        default: nil
        }
    }

    /// The name in a request of the kernel, which is terminated unless it fills its place.
    private static func name(of request: ifreq) -> String {
        unsafe withUnsafeBytes(of: request.ifr_ifrn.ifrn_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
