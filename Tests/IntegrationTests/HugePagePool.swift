import LinuxSystem
import Testing

/// Huge pages reserved for one test; the host's own number comes back afterwards.
struct HugePagePool {
    private static let path = "/proc/sys/vm/nr_hugepages"
    private let before: Int

    /// Reserves 2 MiB pages beside those that the host has.
    init(pages: Int) throws {
        before = try Self.count()
        try Self.set(before + pages)
        guard try Self.count() >= before + pages else {
            restore()
            throw NeverCame(description: "The host has no room for \(pages) huge pages")
        }
    }

    /// Gives the pages back.
    func restore() {
        try? Self.set(before)
    }

    private static func count() throws -> Int {
        let bytes = try OwnedDescriptor(opening: path).readAll(maximum: 64)
        return Int(String(decoding: bytes, as: UTF8.self).split(separator: "\n").joined()) ?? 0
    }

    private static func set(_ count: Int) throws {
        try OwnedDescriptor(opening: path, .write).writeAll(Array("\(count)\n".utf8))
    }
}

extension Trait where Self == ConditionTrait {
    /// For tests whose guests are in huge pages.
    static var needsHugePages: Self {
        .enabled("needs root and room for 2 MiB pages") {
            guard let pool = try? HugePagePool(pages: 128) else { return false }
            pool.restore()
            return true
        }
    }
}
