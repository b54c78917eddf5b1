import FoundationEssentials

/// A text file of the project that tests and other tools share.
enum ProjectFile {
    /// The lines of the file at `path`, seen from the project's folder, without comments and empty
    /// ones.
    static func lines(_ path: String, here: String = #filePath) throws -> [String] {
        let folders = here.split(separator: "/").dropLast(3)
        let text = try String(
            contentsOfFile: "/" + folders.joined(separator: "/") + "/" + path, encoding: .utf8)
        return text.split(whereSeparator: \.isNewline)
            .map { String($0.prefix { $0 != "#" }) }
            .filter { line in line.contains { !$0.isWhitespace } }
    }

    /// The words of each line.
    static func table(_ path: String) throws -> [[String]] {
        try lines(path).map { $0.split(whereSeparator: \.isWhitespace).map(String.init) }
    }
}
