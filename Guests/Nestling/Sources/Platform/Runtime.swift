import Intrinsics

// What Embedded Swift expects of a platform: memory for objects. Nestling makes all its objects
// while it starts, on one processor, and keeps them; so giving back does nothing (`free` is in the
// assembly code, since Swift reserves the name).

/// The first free byte of the heap; 0 before the first allocation.
nonisolated(unsafe) private var heapCursor: UInt64 = 0

@_cdecl("posix_memalign")
func allocateObject(
    _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>, _ alignment: Int, _ size: Int
) -> Int32 {
    let outOfMemory: Int32 = 12
    if heapCursor == 0 { heapCursor = heap_start_address() }
    let mask = UInt64(alignment) &- 1
    let start = (heapCursor &+ mask) & ~mask
    let end = start &+ UInt64(size)
    guard end <= heap_end_address() else { return outOfMemory }
    heapCursor = end
    result.pointee = UnsafeMutableRawPointer(bitPattern: UInt(start))
    return 0
}

/// A pointer to physical memory: everything is mapped at its own address.
@inline(__always)
func pointer<Value>(_ address: UInt64, to type: Value.Type) -> UnsafeMutablePointer<Value> {
    UnsafeMutablePointer(bitPattern: UInt(address)).unsafelyUnwrapped
}
