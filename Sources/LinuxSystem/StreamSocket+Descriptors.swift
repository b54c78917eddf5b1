internal import CLinux
import Glibc

extension StreamSocket {
    /// How many descriptors one message carries (SCM_MAX_FD of the kernel).
    public static let maximumDescriptorCount = Int(CLINUX_DESCRIPTORS_MAX)

    /// Sends all bytes, and with the first of them the descriptors, which stay the caller's too.
    /// Only over UNIX sockets.
    /// - Parameters:
    ///   - bytes: At least one.
    ///   - descriptors: Numbers that stay open during the call, at most `maximumDescriptorCount`.
    public func sendAll(
        _ bytes: Span<UInt8>, descriptors: [Int32], deadline: MonotonicInstant? = nil
    ) throws(SystemError) {
        let operation = "send \(descriptors.count) descriptors to"
        guard !bytes.isEmpty, descriptors.count <= StreamSocket.maximumDescriptorCount else {
            throw SystemError(operation, descriptor.name, .invalidArgument)
        }
        let sent = try whenReady(.writable, operation, deadline) {
            unsafe bytes.withUnsafeBytes { buffer in
                // SAFETY: the kernel only reads the bytes and the numbers, within the call.
                var vector = unsafe iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: buffer.baseAddress),
                    iov_len: buffer.count)
                return unsafe descriptors.withUnsafeBufferPointer {
                    unsafe clinux_send(
                        descriptor.rawValue, &vector, 1, $0.baseAddress, $0.count)
                }
            }
        }
        try sendAll(bytes.extracting(droppingFirst: sent), deadline: deadline)
    }

    /// Receives at most as many bytes as the span has room for, and the descriptors sent along
    /// with them. More descriptors than there is room for are all closed, and the call fails with
    /// `.messageTooLong`.
    /// - Parameter descriptors: Gets the descriptors behind those that it holds already; its
    ///   limit is for both together.
    /// - Returns: How many bytes, 0 at the end of the stream.
    public func receive(
        into bytes: inout MutableSpan<UInt8>, descriptors: inout ReceivedDescriptors,
        deadline: MonotonicInstant? = nil
    ) throws(SystemError) -> Int {
        let room = max(0, descriptors.limit - descriptors.count)
        var numbers = [Int32](repeating: -1, count: room)
        var count = 0
        let received = try whenReady(.readable, "receive from", deadline) {
            unsafe bytes.withUnsafeMutableBytes { buffer in
                // SAFETY: the kernel writes into the caller's span and the local array.
                var vector = unsafe iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
                return unsafe numbers.withUnsafeMutableBufferPointer {
                    unsafe clinux_receive(
                        descriptor.rawValue, &vector, 1, $0.baseAddress, room, &count)
                }
            }
        }
        descriptors.append(numbers.prefix(count))
        return received
    }
}

/// Descriptors that a peer has sent, in the order of sending, until somebody takes them. Those that
/// nobody takes are closed when this value ends.
public struct ReceivedDescriptors: ~Copyable, Sendable {
    /// How many are held at most.
    public let limit: Int
    private var numbers: [Int32] = []
    private var taken = 0

    /// None yet.
    /// - Parameter limit: 0...`StreamSocket.maximumDescriptorCount`; other values are cut to it.
    public init(limit: Int = StreamSocket.maximumDescriptorCount) {
        self.limit = max(0, min(limit, StreamSocket.maximumDescriptorCount))
    }

    deinit {
        for number in numbers.dropFirst(taken) {
            _ = close(number)
        }
    }

    /// How many are left to take.
    public var count: Int { numbers.count - taken }

    /// The oldest of those that are left.
    /// - Parameter name: What errors shall call it.
    public mutating func takeFirst(name: String) -> OwnedDescriptor? {
        guard taken < numbers.count else { return nil }
        defer { taken += 1 }
        return OwnedDescriptor(owning: numbers[taken], name: name)
    }

    /// Takes over numbers that are close-on-exec.
    fileprivate mutating func append(_ new: ArraySlice<Int32>) {
        if taken == numbers.count {
            numbers.removeAll(keepingCapacity: true)
            taken = 0
        }
        numbers.append(contentsOf: new)
    }
}
