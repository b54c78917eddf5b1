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
