/// A descriptor that several owners hold; it is closed when the last lets go.
///
/// Use it where a descriptor must sit in a copyable collection or be reached by several threads;
/// everywhere else `OwnedDescriptor` says who closes.
public final class SharedDescriptor: Sendable {
    /// The descriptor itself.
    public let descriptor: OwnedDescriptor

    /// Takes over the descriptor.
    public init(_ descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }
}
