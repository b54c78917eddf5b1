import Intrinsics

/// A number that one vCPU changes and others read.
struct Counter {
    private let word = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)

    init() { word.pointee = 0 }

    @inline(__always)
    var value: UInt64 { shared_load64(word) }

    @inline(__always)
    func add(_ amount: UInt64) { shared_store64(word, word.pointee &+ amount) }

    func set(_ value: UInt64) { shared_store64(word, value) }

    /// Reads and zeroes in one step.
    func take() -> UInt64 { shared_exchange64(word, 0) }

    /// Adds from any vCPU; the value before.
    @discardableResult
    func addShared(_ amount: UInt64) -> UInt64 { shared_add64(word, amount) }
}
