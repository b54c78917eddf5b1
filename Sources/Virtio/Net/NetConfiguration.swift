/// What a network interface of the guest is made of.
public struct NetConfiguration: Hashable, Sendable {
    /// Address and network of the host's end.
    public struct HostAddress: Hashable, Sendable {
        /// Four bytes of IPv4, in the order in which they are written.
        public var bytes: [UInt8]
        /// Length of the network's prefix, 0 to 32.
        public var prefixLength: Int

        /// An address; nil unless it has four bytes and the prefix is no longer than they are.
        public init?(bytes: [UInt8], prefixLength: Int) {
            guard bytes.count == 4, (0...32).contains(prefixLength) else { return nil }
            self.bytes = bytes
            self.prefixLength = prefixLength
        }
    }

    /// Name of the device.
    public var identifier: String
    /// Name of the tap, which is created if it does not exist; nil for a new one that the kernel
    /// names.
    public var tap: String?
    /// The guest's address.
    public var address: EthernetAddress
    /// The largest packet that the guest is told to send, in bytes; nil to leave it to the guest.
    public var maximumTransmissionUnit: UInt16?
    /// Address of the host's end, for a tap that is created.
    public var hostAddress: HostAddress?
    /// Ethernet address of the host's end, for a tap that is created.
    public var hostEthernetAddress: EthernetAddress?
    /// The number of queue pairs, 1 to 64.
    public var queuePairs: Int
    /// The size of each queue: a power of two up to 1024.
    public var queueSize: UInt16
    /// Whether checksums may be left to the other end.
    public var offloadsChecksums: Bool
    /// Whether large TCP packets may be left to the other end to cut.
    public var offloadsSegmentation: Bool
    /// Whether large UDP datagrams, and packets of many datagrams, may be left to the other end.
    public var offloadsDatagrams: Bool

    /// A configuration with the usual values for what is not named.
    public init(
        identifier: String, tap: String? = nil, address: EthernetAddress,
        maximumTransmissionUnit: UInt16? = nil, hostAddress: HostAddress? = nil,
        hostEthernetAddress: EthernetAddress? = nil, queuePairs: Int = 1, queueSize: UInt16 = 256,
        offloadsChecksums: Bool = true, offloadsSegmentation: Bool = true,
        offloadsDatagrams: Bool = true
    ) {
        self.identifier = identifier
        self.tap = tap
        self.address = address
        self.maximumTransmissionUnit = maximumTransmissionUnit
        self.hostAddress = hostAddress
        self.hostEthernetAddress = hostEthernetAddress
        self.queuePairs = queuePairs
        self.queueSize = queueSize
        self.offloadsChecksums = offloadsChecksums
        self.offloadsSegmentation = offloadsSegmentation
        self.offloadsDatagrams = offloadsDatagrams
    }
}
