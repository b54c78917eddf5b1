import Intrinsics

/// What the command line asks for. The README has the list.
struct Options {
    /// What happens after the last line.
    enum Ending {
        case powerOff
        case reset
        /// A fault, to see how the machine and its owner take it.
        case fault
        /// A fault that nobody can handle: the machine's owner has to.
        case tripleFault
    }

    var processors = 1
    var reportMilliseconds: UInt64 = 100
    /// When the guest ends by itself, in milliseconds after its start.
    var runMilliseconds: UInt64?
    var tickMilliseconds: UInt64 = 1
    var ending = Ending.powerOff
    var memory: MemoryOptions?
    var fill: FillOptions?
    var disks = [4 of DiskOptions?](repeating: nil)
    var network: NetworkOptions?
    var hotPlug: HotPlugOptions?
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
        return takePlain(name, value) || takeNumber(name, value) || takeWorkload(name, value)
    }

    /// Words without a value.
    private mutating func takePlain(_ name: Text, _ value: Text?) -> Bool {
        // QEMU's microvm adds such words by itself.
        if name.starts(with: "virtio_mmio.") { return true }
        guard value == nil else { return false }
        if name == "reset" {
            ending = .reset
        } else if name == "fault" {
            ending = .fault
        } else if name == "triplefault" {
            ending = .tripleFault
        } else {
            return name == "idle"
        }
        return true
    }

    private mutating func takeNumber(_ name: Text, _ value: Text?) -> Bool {
        guard let number = value?.number, number > 0, number <= 1_000_000 else { return false }
        if name == "cpus" && number <= UInt64(PROCESSOR_LIMIT) {
            processors = Int(number)
        } else if name == "report" {
            reportMilliseconds = number
        } else if name == "run" {
            runMilliseconds = number * 1000
        } else if name == "end" {
            runMilliseconds = number
        } else if name == "tick" && number <= 1000 {
            tickMilliseconds = number
        } else {
            return false
        }
        return true
    }

    private mutating func takeWorkload(_ name: Text, _ value: Text?) -> Bool {
        if name == "memory" {
            memory = MemoryOptions(value)
            return memory != nil
        }
        if name == "disk" {
            guard let disk = DiskOptions(value) else { return false }
            disks[disk.number] = disk
            return true
        }
        if name == "hotplug" {
            hotPlug = HotPlugOptions(value)
            return hotPlug != nil
        }
        guard let value else { return false }
        if name == "fill" {
            fill = FillOptions(value)
            return fill != nil
        }
        if name == "net" {
            network = NetworkOptions(value)
            return network != nil
        }
        return false
    }
}
