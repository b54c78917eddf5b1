import Linux

/// Stamps in memory: each word of many pages holds a number that follows from its place and from
/// how often its page was written. Pages are verified and written again, round after round, so
/// that a page which a migration lost, mixed up or brought back from an earlier moment shows.
enum StampLoad {
    private static let wordsOfPage = 4096 / 8

    static func run(megabytes: Int) {
        let pages = megabytes * 256
        guard
            let memory = mmap(
                nil, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != UnsafeMutableRawPointer(bitPattern: -1)
        else { failCall("mmap") }
        let words = memory.assumingMemoryBound(to: UInt64.self)

        for page in 0..<pages { stamp(words, page: page, round: 0) }
        started("stamps", "pages", Int64(pages))
        var round: UInt64 = 0
        while !shouldStop() {
            round += 1
            for page in 0..<pages {
                verify(words, page: page, round: round - 1)
                stamp(words, page: page, round: round)
            }
        }
        for page in 0..<pages { verify(words, page: page, round: round) }
        var line = Line()
        line.add("stamps")
        line.add("pages", Int64(pages))
        line.add("rounds", Int64(round))
        line.add("wrong", 0)
        line.print()
    }

    private static func value(_ page: Int, _ word: Int, _ round: UInt64) -> UInt64 {
        (UInt64(page) << 32 | UInt64(word)) &* 0x9E37_79B9_7F4A_7C15 ^ round
    }

    private static func stamp(_ words: UnsafeMutablePointer<UInt64>, page: Int, round: UInt64) {
        for word in 0..<wordsOfPage {
            words[page * wordsOfPage + word] = value(page, word, round)
        }
    }

    private static func verify(_ words: UnsafeMutablePointer<UInt64>, page: Int, round: UInt64) {
        for word in 0..<wordsOfPage
        where words[page * wordsOfPage + word] != value(page, word, round) {
            var line = Line()
            line.add("lodger: a stamp is wrong:")
            line.add("page", Int64(page))
            line.add("word", Int64(word))
            line.add("round", Int64(round))
            line.print()
            exit(1)
        }
    }
}

/// Says that a load is at work.
func started(_ load: StaticString, _ name: StaticString, _ number: Int64) {
    var line = Line()
    line.add(load)
    line.add("at work")
    line.add(name, number)
    line.print()
}
