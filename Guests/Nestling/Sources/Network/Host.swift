/// `net=`: our place on the network, and the way of each frame through it.
final class Host {
    /// Frames handled in a row before other work gets its turn.
    private static let batch = 8

    let address: UInt32
    let received = Counter()
    let sent = Counter()
    let tcp: TCP
    private let device: NetworkDevice

    init(_ options: NetworkOptions, _ device: NetworkDevice, _ clock: Clock) {
        address = options.address
        self.device = device
        tcp = TCP(clock)
    }

    var hardwareAddress: HardwareAddress { device.address }

    /// Handles what came and what is late. False: nothing to do now.
    func step(_ now: UInt64) -> Bool {
        var count = 0
        while count < Self.batch && device.receive({ handle($0, now) }) { count += 1 }
        if count > 0 { device.refill() }
        return tcp.service(self, now) || count > 0
    }

    /// Sends the frame that `body` writes. False: there is no room; the frame is as good as lost.
    @discardableResult
    func send(_ body: (Bytes) -> Int) -> Bool {
        guard device.send(body) else { return false }
        sent.add(1)
        return true
    }

    private func handle(_ frame: Bytes, _ now: UInt64) {
        guard frame.count >= Ethernet.headerSize else { return }
        received.add(1)
        switch Ethernet.type(frame) {
        case Ethernet.arp: ARP.handle(frame.from(Ethernet.headerSize), self)
        case Ethernet.ipv4:
            guard let packet = IPv4Packet(frame, self) else { return }
            handle(packet, now)
        default: break
        }
    }

    private func handle(_ packet: IPv4Packet, _ now: UInt64) {
        switch packet.protocol {
        case ICMP.number: ICMP.handle(packet, self)
        case UDP.number: UDP.handle(packet, self)
        case TCP.number: tcp.handle(packet, self, now)
        default: break
        }
    }
}
