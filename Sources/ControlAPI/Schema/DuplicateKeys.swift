internal import FoundationEssentials

/// Finds a key that an object has twice. The decoder of the library keeps the first and drops the
/// others without a word, and two readers of one body may then disagree about what it says.
///
/// The bytes need not be JSON; whether they are is the decoder's to say. The time is linear, and
/// depth costs heap, not stack.
struct DuplicateKeys {
    private enum Level {
        case array(index: Int)
        case object(keys: Set<String>, current: String)
    }

    private var levels: [Level] = []
    private var isKeyNext = false

    /// The path of the first key that comes twice in its object, or nil.
    static func first(in bytes: [UInt8]) -> String? {
        var scan = DuplicateKeys()
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") {
                let start = position
                let end = endOfString(in: bytes, from: start)
                position = end + 1
                if scan.isKeyNext, end < bytes.count, scan.isRepeated(key(bytes[start..<end])) {
                    return scan.path
                }
            } else {
                scan.take(byte)
            }
        }
        return nil
    }

    /// The position of the quote that ends a string, or the end of the bytes.
    private static func endOfString(in bytes: [UInt8], from start: Int) -> Int {
        var position = start
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(position, bytes.count)
    }

    /// A key as it reads: `\u0061` is the same key as `a`.
    private static func key(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard bytes.contains(UInt8(ascii: "\\")) else { return text }
        return (try? JSONDecoder().decode(String.self, from: Data("\"\(text)\"".utf8))) ?? text
    }

    /// Takes a byte outside of strings.
    private mutating func take(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "{"):
            levels.append(.object(keys: [], current: ""))
            isKeyNext = true
        case UInt8(ascii: "["):
            levels.append(.array(index: 0))
            isKeyNext = false
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            _ = levels.popLast()
            isKeyNext = false
        case UInt8(ascii: ","):
            isKeyNext = false
            guard let last = levels.popLast() else { return }
            if case .array(let index) = last {
                levels.append(.array(index: index + 1))
            } else {
                levels.append(last)
                isKeyNext = true
            }
        default: break
        }
    }

    /// Notes a key of the innermost object.
    /// - Returns: Whether it was there already.
    private mutating func isRepeated(_ key: String) -> Bool {
        isKeyNext = false
        guard case .object(var keys, _)? = levels.popLast() else { return false }
        let isNew = keys.insert(key).inserted
        levels.append(.object(keys: keys, current: key))
        return !isNew
    }

    /// Where the scan is: `disks[0].path`.
    private var path: String {
        levels.reduce("") { path, level in
            switch level {
            case .array(let index): "\(path)[\(index)]"
            case .object(_, let key): path.isEmpty ? key : "\(path).\(key)"
            }
        }
    }
}
