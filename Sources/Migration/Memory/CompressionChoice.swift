import ContentCoding
import LinuxSystem

/// Whether contents are compressed, and how: a pure value, which learns while they are sent.
///
/// Two things are known about each way. A *forecast* comes from a sample: what the senders can
/// compress in a second, and what the link carries times the ratio; the lower of both counts. A
/// *measurement* is what the destination has acknowledged in a second while the way was in use.
/// Compression begins on a forecast and goes on only while its measurement is better than that of
/// plain contents; where it was not, it is left alone for a while, longer each time.
struct CompressionChoice {
    /// How contents go: nil stands for plain.
    typealias Way = CompressionMethod?

    /// What is in use.
    private(set) var current: Way = nil

    /// How many send at the same time, each of which compresses.
    private let senderCount: Int
    private let isAutomatic: Bool

    private var epoch: Epoch?
    private var plainRate: UInt64 = 0
    private var plainMeasured: MonotonicInstant?
    private var knowledge: [Knowledge] = []
    private var batchCount = 0

    /// Answers of one way, from the first to the last.
    private struct Epoch {
        var began: MonotonicInstant
        var bytes: UInt64 = 0
        var answerCount = 0
    }

    /// What is known of one method.
    private struct Knowledge {
        var method: CompressionMethod
        /// Bytes of contents that one sender compresses in a second; 0 before a sample.
        var sampledRate: UInt64 = 0
        /// Compressed in relation to plain size, in thousandths.
        var sampledSize: UInt64 = 1000
        /// Bytes of contents acknowledged in a second; 0 before it was in use.
        var measuredRate: UInt64 = 0
        /// Before this it is not tried again.
        var restsUntil = MonotonicInstant(nanoseconds: 0)
        var restNanoseconds = CompressionChoice.firstRest
    }

    /// How long a way is in use before it is judged, at least, in nanoseconds: 0.1 s.
    private static let epochNanoseconds: UInt64 = 100_000_000

    /// How many answers a judgement needs, so that what the sockets hold does not count.
    private static let epochAnswers = 8

    /// How long a method rests that did not pay, in nanoseconds: 1 s at first, 30 s at most.
    private static let firstRest: UInt64 = 1_000_000_000
    private static let longestRest: UInt64 = 30_000_000_000

    /// After this time plain contents are measured again, as the link may have changed, in
    /// nanoseconds: 5 s.
    private static let plainIsStale: UInt64 = 5_000_000_000

    /// A batch of so many is sampled.
    private static let sampledBatches = 16

    /// - Parameters:
    ///   - method: the method to use for everything, or nil to choose.
    ///   - senderCount: connections that send at the same time.
    init(always method: CompressionMethod?, senderCount: Int) {
        isAutomatic = method == nil
        current = method
        self.senderCount = max(1, senderCount)
        if isAutomatic {
            knowledge = CompressionMethod.allCases.map { Knowledge(method: $0) }
        }
    }

    /// Whether the next batch is to be sampled with every method: the first ones soon, later ones
    /// now and then.
    mutating func wantsSample() -> Bool {
        guard isAutomatic else { return false }
        batchCount += 1
        return batchCount % Self.sampledBatches == 1
    }

    /// Notes what compressing a piece of a batch brought.
    mutating func sampled(
        _ method: CompressionMethod, contentBytes: Int, storedBytes: Int, nanoseconds: UInt64
    ) {
        guard let index = knowledge.firstIndex(where: { $0.method == method }), contentBytes > 0
        else { return }
        let rate = Self.rate(UInt64(contentBytes), nanoseconds)
        let size = UInt64(storedBytes) * 1000 / UInt64(contentBytes)
        let known = knowledge[index]
        // Half of the news: pages differ from each other.
        let isFirst = known.sampledRate == 0
        knowledge[index].sampledRate = isFirst ? rate : known.sampledRate / 2 + rate / 2
        knowledge[index].sampledSize = max(1, isFirst ? size : (known.sampledSize + size) / 2)
    }

    /// Notes that the destination has acknowledged contents that went this way.
    mutating func answered(_ way: Way, contentBytes: UInt64, at now: MonotonicInstant) {
        guard isAutomatic, way == current else { return }
        guard var epoch else {
            // The clock starts with the first answer: what was sent before it went another way.
            self.epoch = Epoch(began: now)
            return
        }
        epoch.bytes &+= contentBytes
        epoch.answerCount += 1
        self.epoch = epoch
        let nanoseconds = now.nanoseconds(since: epoch.began)
        guard epoch.answerCount >= Self.epochAnswers, nanoseconds >= Self.epochNanoseconds else {
            return
        }
        self.epoch = Epoch(began: now)
        judge(Self.rate(epoch.bytes, nanoseconds), at: now)
    }

    /// A pause: what is measured begins anew.
    mutating func interrupt() {
        epoch = nil
    }

    private mutating func judge(_ rate: UInt64, at now: MonotonicInstant) {
        guard let method = current, let index = knowledge.firstIndex(where: { $0.method == method })
        else {
            plainRate = rate
            plainMeasured = now
            if let better = bestForecast(above: rate, at: now) { use(better) }
            return
        }
        knowledge[index].measuredRate = rate
        // A gain that is smaller than the noise is not worth two processors.
        guard rate > plainRate + plainRate / 20 else {
            let rest = knowledge[index].restNanoseconds
            knowledge[index].restsUntil = now.advanced(byNanoseconds: rest)
            knowledge[index].restNanoseconds = min(rest * 2, Self.longestRest)
            return use(bestForecast(above: plainRate, at: now))
        }
        knowledge[index].restNanoseconds = Self.firstRest
        if let plainMeasured, now.nanoseconds(since: plainMeasured) > Self.plainIsStale {
            return use(nil)
        }
        if let better = bestForecast(above: rate, at: now), better != method { use(better) }
    }

    private mutating func use(_ way: Way) {
        guard way != current else { return }
        current = way
        epoch = nil
    }

    /// The method that promises most, if that is a tenth more than `rate` at least.
    private func bestForecast(above rate: UInt64, at now: MonotonicInstant) -> CompressionMethod? {
        var best: (method: CompressionMethod, rate: UInt64)?
        for known in knowledge where known.sampledRate > 0 && known.restsUntil <= now {
            let promised = forecast(known)
            guard promised > rate + rate / 10, promised > best?.rate ?? 0 else { continue }
            best = (known.method, promised)
        }
        return best?.method
    }

    /// What a method would achieve: the senders' rate or the link's times the ratio, and no more
    /// than it did achieve.
    private func forecast(_ known: Knowledge) -> UInt64 {
        let senders = known.sampledRate.multipliedReportingOverflow(by: UInt64(senderCount))
        let link = plainRate.multipliedReportingOverflow(by: 1000)
        let limit = min(
            senders.overflow ? .max : senders.partialValue,
            link.overflow ? .max : link.partialValue / known.sampledSize)
        return known.measuredRate > 0 && known.method == current
            ? min(limit, known.measuredRate) : limit
    }

    private static func rate(_ bytes: UInt64, _ nanoseconds: UInt64) -> UInt64 {
        let (scaled, overflow) = bytes.multipliedReportingOverflow(by: 1_000_000_000)
        let nanoseconds = max(1, nanoseconds)
        return max(1, overflow ? bytes / nanoseconds * 1_000_000_000 : scaled / nanoseconds)
    }
}
