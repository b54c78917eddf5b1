/// How even the simulated network is.
public enum SimulatedWeather: Hashable, Sendable {
    /// All connections are alike and nothing comes late.
    case steady
    /// Each connection has a latency and a rate of its own, and what is sent arrives with a delay
    /// that changes: what goes over different connections arrives in any order.
    case rough
}

/// One direction of a simulated connection: what is sent over it arrives in order.
struct SimulatedLine: Hashable {
    /// One way through the network, in nanoseconds.
    var latency: UInt64
    /// What is added to it at most, anew for each message, in nanoseconds.
    var jitter: UInt64
    /// Bytes per second: few, so that sending a small guest takes time in which it writes.
    var bytesPerSecond: UInt64

    /// How long something takes that is sent now.
    func delay(using random: inout SplitMix64) -> UInt64 {
        jitter == 0 ? latency : latency + random.next() % jitter
    }
}

extension SimulatedWeather {
    /// What a new connection is like.
    func makeLine(using random: inout SplitMix64) -> SimulatedLine {
        switch self {
        case .steady:
            return SimulatedLine(latency: 100_000, jitter: 0, bytesPerSecond: 50_000_000)
        case .rough:
            // Between 0.05 and 25 ms, short ones as likely as long ones; one connection may be a
            // hundred times as fast as the next.
            return SimulatedLine(
                latency: 50_000 << (random.next() % 10),
                jitter: 1 + (20_000 << (random.next() % 10)),
                bytesPerSecond: 2_000_000 << (random.next() % 7))
        }
    }
}
