/// The guest's command line: words `name` or `name=value`, separated by spaces.
struct CommandLine {
    private let text: Text

    /// Copies the text, since it may lie in memory that is put to use later.
    init(at address: UInt64) {
        let limit = 4096
        let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: limit)
        var count = 0
        if address != 0 {
            let source = pointer(address, to: UInt8.self)
            while count < limit && source[count] != 0 {
                copy[count] = source[count]
                count += 1
            }
        }
        text = Text(start: copy, count: count)
    }

    /// Calls `body` for each word.
    func forEachWord(_ body: (Text) -> Void) {
        var rest: Text? = text
        while let current = rest {
            let (word, next) = current.split(at: Character.space)
            if word.count > 0 { body(word) }
            rest = next
        }
    }
}
