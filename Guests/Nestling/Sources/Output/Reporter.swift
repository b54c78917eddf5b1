/// Writes the lines that tests read, and counts errors.
final class Reporter {
    /// After so many error lines errors are only counted.
    private static let errorLineLimit: UInt64 = 20

    let serial: Serial
    /// Gets a copy of every line, where there is one.
    var console: ConsoleDevice?
    let memoryErrors = Counter()
    let diskErrors = Counter()
    /// Errors of neither kind.
    let otherErrors = Counter()
    private let errorLines = Counter()

    init(_ serial: Serial) { self.serial = serial }

    /// All errors since boot.
    var errors: UInt64 { memoryErrors.value + diskErrors.value + otherErrors.value }

    func write(_ line: consuming Line) {
        var line = line
        line.finish()
        serial.write(line)
        console?.write(line)
    }

    func memoryError(address: UInt64, expected: UInt64, found: UInt64, processor: Int) {
        memoryErrors.addShared(1)
        guard var line = errorLine("memory") else { return }
        line.add("address", hexadecimal: address)
        line.add("expected", hexadecimal: expected)
        line.add("found", hexadecimal: found)
        line.add("vcpu", UInt64(processor))
        write(line)
    }

    func diskError(_ what: StaticString, disk: Int, sector: UInt64, expected: UInt64, found: UInt64)
    {
        diskErrors.addShared(1)
        guard var line = errorLine(what) else { return }
        line.add("disk", UInt64(disk))
        line.add("sector", sector)
        line.add("expected", expected)
        line.add("found", found)
        write(line)
    }

    /// Something else that must not happen.
    func error(_ what: StaticString, _ key: StaticString, _ value: UInt64) {
        otherErrors.addShared(1)
        guard var line = errorLine(what) else { return }
        line.add(key, value)
        write(line)
    }

    func filled(_ pages: UInt64) {
        var line = Line("filled")
        line.add("pages", pages)
        write(line)
    }

    private func errorLine(_ what: StaticString) -> Line? {
        guard errorLines.addShared(1) < Self.errorLineLimit else { return nil }
        var line = Line("error")
        line.add("what", what)
        return line
    }
}
