import Linux

/// Sends an echo request (RFC 792) every ten milliseconds and records the longest time without an
/// answer: what a peer of the guest sees of a blackout. It needs root for the raw socket.
enum Ping {
    private static let period: Int64 = 10_000_000
    private static let worthALine: Int64 = 50_000_000

    static func run(address: UnsafePointer<CChar>) {
        let socket = lodger_echo_socket(address)
        guard socket >= 0 else { failCall("ICMP socket") }
        var packet = [UInt8](repeating: 0, count: 1024)
        var (sent, answered, longest): (Int64, Int64, Int64) = (0, 0, 0)
        var due = lodger_clock(CLOCK_MONOTONIC)
        var lastAnswer: Int64?
        started("ping", "period_us", period / 1000)

        while !shouldStop() {
            var now = lodger_clock(CLOCK_MONOTONIC)
            if now >= due {
                _ = lodger_send_echo(socket, UInt16(truncatingIfNeeded: sent))
                sent += 1
                due = max(due + period, now)
            }
            guard lodger_wait_readable(socket, max(due - now, 0)) > 0 else { continue }
            let count = recv(socket, &packet, packet.count, 0)
            // An IPv4 header without options, then an echo reply with our identifier.
            guard count >= 28, packet[20] == 0, packet[24] == 0x4D, packet[25] == 0x4C else {
                continue
            }
            now = lodger_clock(CLOCK_MONOTONIC)
            answered += 1
            if let lastAnswer, now - lastAnswer > longest { longest = now - lastAnswer }
            if let lastAnswer, now - lastAnswer >= worthALine {
                var line = Line()
                line.add("ping")
                line.add("at_ms", now / 1_000_000)
                line.add("gap_us", (now - lastAnswer) / 1000)
                line.print()
            }
            lastAnswer = now
        }
        var line = Line()
        line.add("ping")
        line.add("sent", sent)
        line.add("answered", answered)
        line.add("max_gap_us", longest / 1000)
        line.print()
    }
}
