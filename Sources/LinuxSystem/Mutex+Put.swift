public import Synchronization

extension Mutex where Value: ~Copyable {
    /// Stores a value that has one owner, in the place of none.
    public func put<Content: ~Copyable & Sendable>(_ content: consuming Content)
    where Value == Content? {
        var content = Optional(content)
        withLock { $0 = content.take() }
    }
}
