import LinuxSystem
private import Synchronization

/// Takes time away from processors, so that a guest writes less while it is moved.
///
/// A thread, which is there only while something is throttled, makes each processor sleep for its
/// share of every period. Whoever pauses a processor does not wait for its sleep.
final class ProcessorThrottle: Sendable {
    /// The most that can be taken, in percent: a guest that has nothing left cannot be told from one
    /// that hangs.
    static let mostPercent = 99

    /// How often processors sleep, in nanoseconds: every 10 ms, short enough for the guest's own
    /// timers and long against what leaving the guest costs.
    private static let period: UInt64 = 10_000_000

    private struct State {
        /// By processor.
        var percents: [Int] = []
        var thread: WorkerThread?
    }

    private let processors: [Processor]
    private let state = Mutex(State())

    init(_ processors: [Processor]) {
        self.processors = processors
    }

    /// What is taken from each of `count` processors, in percent.
    ///
    /// - Parameter pages: what each has written; nil where that is not known.
    static func shares(percent: Int, pages: [UInt64]?, count: Int) -> [Int] {
        guard let pages, pages.count == count, let most = pages.max(), most > 0 else {
            return [Int](repeating: percent, count: count)
        }
        // The quotient is at most 1.
        return pages.map { Int((Double(percent) * (Double($0) / Double(most))).rounded()) }
    }

    /// What is taken from each processor now, in percent; empty when nothing is.
    var percents: [Int] { state.withLock { $0.percents } }

    /// Takes so much time from each processor, in percent, from now on.
    func set(_ percents: [Int]) throws(SystemError) {
        let percents = percents.map { min(max($0, 0), Self.mostPercent) }
        guard percents.contains(where: { $0 > 0 }) else { return end() }
        try state.withLock { (state) throws(SystemError) in
            state.percents = percents
            guard state.thread == nil else { return }
            state.thread = try WorkerThread(name: "throttle", kind: .throttle) { [weak self] stop in
                while self?.takePeriod() == true {
                    do throws(SystemError) {
                        try stop.wait(
                            deadline: .now.advanced(byNanoseconds: ProcessorThrottle.period))
                        return
                    } catch {
                        // The period is over.
                    }
                }
            }
        }
    }

    /// Gives all processors all of their time. The thread ends by itself: a guest that is about to
    /// be paused does not wait for it.
    func end() {
        let wasThrottled = state.withLock { state in
            defer { state.percents = [] }
            return !state.percents.isEmpty
        }
        guard wasThrottled else { return }
        for processor in processors { processor.endSleep() }
    }

    /// Lets the processors sleep for their shares of one period.
    ///
    /// - Returns: false when nothing is throttled any more, and the thread is forgotten.
    private func takePeriod() -> Bool {
        let (percents, ended) = state.withLock { state -> ([Int], WorkerThread?) in
            (state.percents, state.percents.isEmpty ? state.thread.take() : nil)
        }
        // The last reference to a thread that ends goes here, on the thread itself.
        _ = ended
        for (processor, percent) in zip(processors, percents) where percent > 0 {
            processor.requestSleep(nanoseconds: Self.period / 100 * UInt64(percent))
        }
        return !percents.isEmpty
    }
}
