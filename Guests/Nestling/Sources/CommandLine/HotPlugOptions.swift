/// `hotplug=delay:500`: gives devices up when it is asked to.
struct HotPlugOptions {
    /// How long after it was asked, in milliseconds.
    var delay: UInt64 = 0

    /// - Parameter text: the fields; nil: the defaults.
    init?(_ text: Text?) {
        guard let text else { return }
        var parsed: UInt64?
        let isComplete = text.forEachField { key, value in
            guard key == "delay" else { return false }
            parsed = value.number
            return parsed != nil
        }
        guard isComplete, let parsed, parsed <= 1_000_000 else { return nil }
        delay = parsed
    }
}
