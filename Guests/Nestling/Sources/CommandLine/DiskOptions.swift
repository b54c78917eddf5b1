/// `disk=`: writes and reads with stamps.
struct DiskOptions {
    /// How many disks can have work.
    static let limit = 4

    /// Which disk, in the order of the bus.
    var number = 0
    var size: UInt64 = 16 << 20
    var depth = 4
    var flushes = true
    /// Requests per second; nil: as many as possible.
    var rate: UInt64?

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
        if key == "flush" {
            flushes = value == "on"
            return flushes || value == "off"
        }
        if key == "rate" && value == "max" { return true }
        guard let argument = value.number else { return false }
        if key == "id" && argument < Self.limit {
            number = Int(argument)
        } else if key == "size" && argument > 0 {
            size = argument
        } else if key == "depth" && argument > 0 && argument <= 32 {
            depth = Int(argument)
        } else if key == "rate" && argument > 0 {
            rate = argument
        } else {
            return false
        }
        return true
    }
}
