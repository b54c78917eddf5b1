/// `memory=`: dirties pages and verifies them.
struct MemoryOptions {
    enum Pattern {
        case sequential
        case random
        /// Most writes go to the first bytes of the area.
        case hot
    }

    var size: UInt64 = 64 << 20
    /// Pages written per second, all vCPUs together; nil: as many as possible.
    var rate: UInt64? = 20000
    var pattern = Pattern.sequential
    var hot: UInt64 = 4 << 20
    /// How many vCPUs take part; nil: all.
    var processors: Int?

    /// - Parameter text: the fields; nil: the defaults.
    init?(_ text: Text?) {
        guard let text else { return }
        var options = Self()
        let isComplete = text.forEachField { key, value in options.take(key, value) }
        guard isComplete else { return nil }
        self = options
    }

    private init() {}

    private mutating func take(_ key: Text, _ value: Text) -> Bool {
        if key == "pattern" {
            if value == "sequential" {
                pattern = .sequential
            } else if value == "random" {
                pattern = .random
            } else if value == "hot" {
                pattern = .hot
            } else {
                return false
            }
            return true
        }
        if key == "rate" && value == "max" {
            rate = nil
            return true
        }
        if key == "vcpus" && value == "all" {
            processors = nil
            return true
        }
        guard let number = value.number, number > 0 else { return false }
        if key == "size" {
            size = number
        } else if key == "rate" {
            rate = number
        } else if key == "hot" {
            hot = number
        } else if key == "vcpus" {
            processors = Int(truncatingIfNeeded: number & 0xffff)
        } else {
            return false
        }
        return true
    }
}
