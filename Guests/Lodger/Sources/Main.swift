import Linux
import Synchronization

// Lodger works inside a Linux guest of the lab, and at the far end of its connections: one static
// program with a few loads that check their own results. A load runs until SIGTERM, then prints
// one line of figures and ends with status 0; or it says at once what is wrong and ends with 1.

private let usage: StaticString = """
    usage: lodger stamps MEGABYTES | timer | file PATH | serve PORT | stream ADDRESS PORT
                | ping ADDRESS | frames INTERFACE | pattern PATH MEGABYTES SEED
                | discard DEVICE MEGABYTES | zero DEVICE MEGABYTES | clock

    """

/// Whether SIGTERM came.
private let stopRequested = Atomic(false)

func shouldStop() -> Bool { stopRequested.load(ordering: .relaxed) }

/// Where the C library starts. `@main` would bring `CommandLine`, which Embedded Swift lacks.
@_cdecl("main")
func start(
    _ count: Int32, _ words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> Int32 {
    let arguments = Arguments(words: words, count: Int(count))
    lodger_catch_stop { _ in stopRequested.store(true, ordering: .relaxed) }
    if arguments.first(is: "stamps") {
        StampLoad.run(megabytes: arguments.number(at: 2))
    } else if arguments.first(is: "timer") {
        TimerLoad.run()
    } else if arguments.first(is: "file") {
        FileLoad.run(path: arguments.text(at: 2))
    } else if arguments.first(is: "serve") {
        StreamServer.run(port: arguments.port(at: 2))
    } else if arguments.first(is: "stream") {
        StreamLoad.run(address: arguments.text(at: 2), port: arguments.port(at: 3))
    } else if arguments.first(is: "pattern") {
        Pattern.write(
            path: arguments.text(at: 2), megabytes: arguments.number(at: 3),
            seed: UInt64(arguments.number(at: 4)))
    } else if arguments.first(is: "frames") {
        FrameWatch.run(interface: arguments.text(at: 2))
    } else if arguments.first(is: "ping") {
        Ping.run(address: arguments.text(at: 2))
    } else if arguments.first(is: "discard") || arguments.first(is: "zero") {
        BlockCommand.run(
            path: arguments.text(at: 2), megabytes: arguments.number(at: 3),
            zeroes: arguments.first(is: "zero"))
    } else if arguments.first(is: "clock") {
        printClock()
    } else {
        fail(usage)
    }
    return 0
}

/// The words of the command line.
struct Arguments {
    let words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    let count: Int

    /// Whether the first word, which names the load, is this.
    func first(is name: StaticString) -> Bool {
        guard count > 1, let word = words[1] else { return false }
        return strcmp(word, name.cString) == 0
    }

    /// The word at a place. Without it the program ends.
    func text(at place: Int) -> UnsafePointer<CChar> {
        guard place < count, let word = words[place] else { fail(usage) }
        return UnsafePointer(word)
    }

    /// A number above zero at a place. Without it the program ends.
    func number(at place: Int) -> Int {
        let number = atol(text(at: place))
        guard number > 0 else { fail(usage) }
        return number
    }

    /// A TCP port at a place. Without it the program ends.
    func port(at place: Int) -> UInt16 {
        guard let port = UInt16(exactly: number(at: place)) else { fail(usage) }
        return port
    }
}

/// The time of day, and the time since the start without and with the time asleep.
private func printClock() {
    var line = Line()
    line.add("realtime_ms", lodger_clock(CLOCK_REALTIME) / 1_000_000)
    line.add("monotonic_ms", lodger_clock(CLOCK_MONOTONIC) / 1_000_000)
    line.add("boottime_ms", lodger_clock(CLOCK_BOOTTIME) / 1_000_000)
    line.print()
}
