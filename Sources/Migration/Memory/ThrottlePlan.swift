/// Decides how much time is taken from a guest that writes faster than its memory can be sent: a
/// pure value.
///
/// Nothing is taken before pre-copy has stalled. Then it is as little as may help, and more after
/// each round that did not shrink all the same, up to a ceiling.
struct ThrottlePlan {
    /// What is taken first, and by how much more each time, in percent.
    static let (first, step) = (20, 10)

    /// What is taken now, in percent.
    private(set) var percent = 0

    private var previousBytes: UInt64?

    /// Takes note of what is left after a round.
    ///
    /// - Parameters:
    ///   - isStalled: whether the rounds do not shrink any more.
    ///   - ceiling: the most that may be taken, in percent; 0 for nothing.
    /// - Returns: whether `percent` has changed.
    mutating func roundEnded(bytes: UInt64, isStalled: Bool, ceiling: Int) -> Bool {
        let before = percent
        let previous = previousBytes ?? .max
        if percent == 0 {
            if isStalled { percent = Self.first }
        } else if bytes > previous - previous / 10 {
            percent += Self.step
        }
        percent = min(percent, max(ceiling, 0))
        previousBytes = bytes
        return percent != before
    }
}
