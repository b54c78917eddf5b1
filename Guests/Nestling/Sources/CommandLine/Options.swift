/// What the command line asks for. The README has the list.
struct Options {
    var processors = 1
    var reportMilliseconds: UInt64 = 100
    var runSeconds: UInt64?
    var resets = false
    var memory: MemoryOptions?
    var fill: FillOptions?
    var disks = [4 of DiskOptions?](repeating: nil)
    var network: NetworkOptions?
    /// The first word that was not understood.
    private(set) var unknown: Text?

    init(_ commandLine: CommandLine) {
        var options = Options()
        commandLine.forEachWord { word in
            if !options.take(word) && options.unknown == nil { options.unknown = word }
        }
        self = options
    }

    private init() {}

    /// Takes one word. False: not understood.
    private mutating func take(_ word: Text) -> Bool {
        let (name, value) = word.split(at: Character.equals)
        if name == "idle" { return true }
        if name == "reset" {
            resets = true
            return true
        }
        // QEMU's microvm adds such words by itself.
        if name.starts(with: "virtio_mmio.") { return true }
        guard let value else { return false }
        if name == "cpus" {
            return take(value) { options, number in options.processors = Int(number) }
        }
        if name == "report" {
            return take(value) { options, number in options.reportMilliseconds = number }
        }
        if name == "run" { return take(value) { options, number in options.runSeconds = number } }
        if name == "memory" {
            memory = MemoryOptions(value)
            return memory != nil
        }
        if name == "fill" {
            fill = FillOptions(value)
            return fill != nil
        }
        if name == "disk" {
            guard let disk = DiskOptions(value) else { return false }
            disks[disk.number] = disk
            return true
        }
        if name == "net" {
            network = NetworkOptions(value)
            return network != nil
        }
        return false
    }

    private mutating func take(
        _ value: Text, _ store: (inout Options, UInt64) -> Void
    ) -> Bool {
        guard let number = value.number, number > 0, number <= 1_000_000 else { return false }
        store(&self, number)
        return true
    }
}

extension Text {
    /// Calls `body` with each `key:value` of a comma-separated list; false as soon as it refuses
    /// one.
    func forEachField(_ body: (_ key: Text, _ value: Text) -> Bool) -> Bool {
        var rest: Text? = self
        while let current = rest {
            let (field, next) = current.split(at: Character.comma)
            let (key, value) = field.split(at: Character.colon)
            guard let value, body(key, value) else { return false }
            rest = next
        }
        return true
    }
}

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

    init?(_ text: Text) {
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

/// `fill=random`: gives contents to free memory, once.
struct FillOptions {
    /// Bytes; nil: all that is free.
    var size: UInt64?

    init?(_ text: Text) {
        let (kind, rest) = text.split(at: Character.comma)
        guard kind == "random" else { return nil }
        guard let rest else { return }
        var bytes: UInt64?
        let isComplete = rest.forEachField { key, value in
            guard key == "size" else { return false }
            bytes = value.number
            return bytes != nil
        }
        guard isComplete else { return nil }
        size = bytes
    }
}

/// `disk=`: writes and reads with stamps.
struct DiskOptions {
    var number = 0
    var size: UInt64 = 16 << 20
    var depth = 4
    var flushes = true
    /// Requests per second; nil: as many as possible.
    var rate: UInt64?

    init?(_ text: Text) {
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
        if key == "id" && argument < 4 {
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

/// `net=address:192.168.77.2/24`: answers ARP, ping, UDP echo and TCP echo.
struct NetworkOptions {
    /// The IPv4 address, most significant byte first.
    var address: UInt32

    init?(_ text: Text) {
        var parsed: UInt32?
        let isComplete = text.forEachField { key, value in
            guard key == "address" else { return false }
            parsed = Self.parse(value.split(at: Character.slash).head)
            return parsed != nil
        }
        guard isComplete, let parsed else { return nil }
        address = parsed
    }

    private static func parse(_ text: Text) -> UInt32? {
        var result: UInt32 = 0
        var rest: Text? = text
        for _ in 0..<4 {
            guard let (part, next) = rest?.split(at: Character.dot) else { return nil }
            guard let number = part.number, number < 256 else { return nil }
            result = result << 8 | UInt32(number)
            rest = next
        }
        return rest == nil ? result : nil
    }
}
