import Linux

/// Prints frames by which a machine tells a network where it is: RARP (RFC 903; EtherType 0x8035)
/// and ARP announcements (RFC 5227, section 3), as they pass on an interface.
enum FrameWatch {
    static func run(interface: UnsafePointer<CChar>) {
        let socket = lodger_frames(interface)
        guard socket >= 0 else { failCall("AF_PACKET socket") }
        started("frames", "socket", Int64(socket))
        var frame = [UInt8](repeating: 0, count: 2048)
        while !shouldStop() {
            let count = recv(socket, &frame, frame.count, 0)
            guard count >= 42 else { continue }
            var line = Line()
            line.add("frames")
            if frame[12] == 0x80, frame[13] == 0x35 {
                line.add("rarp")
            } else if frame[12] == 0x08, frame[13] == 0x06, frame[28..<32] == frame[38..<42] {
                line.add("announcement")
            } else {
                continue
            }
            line.add("from", address: frame[6..<12])
            line.add("to", address: frame[0..<6])
            line.print()
        }
    }
}
