/// A piece of an HTML page. Text and the values of attributes are always escaped, so that nothing
/// that came from a file, a peer or a user can become markup.
struct Markup: Sendable {
    /// The piece as it is written.
    private(set) var source: String

    /// Nothing.
    static let empty = Markup(source: "")

    private init(source: String) {
        self.source = source
    }

    /// Text.
    init(text: String) {
        source = Self.escaped(text)
    }

    /// Several pieces after each other.
    init(joining pieces: [Markup]) {
        source = pieces.map(\.source).joined()
    }

    /// A style sheet of this program's own, which is not escaped.
    static func styleSheet(_ text: StaticString) -> Markup {
        Markup(source: "<style>\(text)</style>")
    }

    /// An element. Names are this program's own.
    ///
    /// - Parameter isVoid: whether it has neither contents nor an end, such as `meta`.
    static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
        isVoid: Bool = false, @MarkupBuilder _ content: () -> Markup = { Markup.empty }
    ) -> Markup {
        var text = "<\(name)"
        for (key, value) in attributes { text += " \(key)=\"\(escaped(value))\"" }
        text += ">"
        guard !isVoid else { return Markup(source: text) }
        return Markup(source: text + content().source + "</\(name)>")
    }

    /// A whole page.
    static func page(_ root: Markup) -> String {
        "<!doctype html>\n" + root.source + "\n"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // HTML has no way to write these.
            case _ where character.value < 0x20 && !["\n", "\t"].contains(character):
                result.unicodeScalars.append("\u{fffd}")
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

/// Lets contents be written one below the other.
@resultBuilder enum MarkupBuilder {
    static func buildExpression(_ piece: Markup) -> Markup { piece }
    static func buildExpression(_ pieces: [Markup]) -> Markup { Markup(joining: pieces) }
    static func buildExpression(_ text: String) -> Markup { Markup(text: text) }
    static func buildBlock(_ pieces: Markup...) -> Markup { Markup(joining: pieces) }
    static func buildArray(_ pieces: [Markup]) -> Markup { Markup(joining: pieces) }
    static func buildOptional(_ piece: Markup?) -> Markup { piece ?? .empty }
    static func buildEither(first piece: Markup) -> Markup { piece }
    static func buildEither(second piece: Markup) -> Markup { piece }
}
