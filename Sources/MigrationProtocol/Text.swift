/// Texts on the wire: UTF-8 of at most `Limits.maximumTextBytes` bytes.
enum Text {
    /// The longest beginning of `text` within the limit that ends between two characters.
    static func shortened(_ text: String) -> String {
        guard text.utf8.count > Limits.maximumTextBytes else { return text }
        let end = text.utf8.index(text.startIndex, offsetBy: Limits.maximumTextBytes)
        // An index inside a scalar is rounded down to its beginning.
        return String(text.unicodeScalars[..<end])
    }

    /// The text that `bytes` are.
    static func decode(_ bytes: Span<UInt8>) throws(FrameError) -> String {
        guard bytes.count <= Limits.maximumTextBytes else {
            throw .overLimit(
                field: "A text", value: UInt64(bytes.count),
                limit: UInt64(Limits.maximumTextBytes))
        }
        let copy = bytes.indices.map { bytes[$0] }
        guard let text = String(validating: copy, as: UTF8.self) else { throw .invalidText }
        return text
    }

    /// A length from a header as the size of a text that may be read.
    static func byteCount(_ length: UInt64) throws(FrameError) -> Int {
        guard let count = Int(exactly: length), count <= Limits.maximumTextBytes else {
            throw .overLimit(
                field: "A text", value: length, limit: UInt64(Limits.maximumTextBytes))
        }
        return count
    }
}
