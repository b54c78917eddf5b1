import Intrinsics

/// The first serial port, as far as Nestling needs it: whole lines out, single bytes in.
///
/// A byte costs an exit of the guest, so lines wait in a ring which the boot processor empties a
/// little at a time between other work. Any vCPU may write.
final class Serial {
    private static let base: UInt16 = 0x3f8
    private static let fifoSize = 16
    private static let dataReady: UInt8 = 1
    private static let transmitterEmpty: UInt8 = 0x20

    private let ring: UnsafeMutablePointer<UInt8>
    private let ringSize = 16384
    private var head = 0
    private var tail = 0
    private var room = 0
    private let lock = Lock()

    init() {
        ring = UnsafeMutablePointer<UInt8>.allocate(capacity: ringSize)
        port_write8(Self.base + 1, 0)  // no interrupts
        port_write8(Self.base + 3, 3)  // 8 bits, no parity
        port_write8(Self.base + 2, 7)  // FIFOs on and empty
        port_write8(Self.base + 4, 3)  // terminal ready
    }

    /// Whether all that was written has left.
    var isEmpty: Bool { head == tail }

    /// Queues one line; waits only when the ring is full.
    ///
    /// - Parameter lockAttempts: after so many the line is written without the lock.
    func write(_ line: borrowing Line, lockAttempts: Int = Int.max) {
        lock.acquire(attempts: lockAttempts)
        while ringSize - (tail - head) < line.count { send(limit: Self.fifoSize) }
        for index in 0..<line.count {
            ring[tail % ringSize] = line.bytes[index]
            tail += 1
        }
        lock.release()
    }

    /// Sends up to `limit` bytes of what is queued.
    func service(limit: Int) {
        guard head != tail else { return }
        lock.acquire()
        send(limit: limit)
        lock.release()
    }

    /// Sends everything.
    func flush(lockAttempts: Int = Int.max) {
        lock.acquire(attempts: lockAttempts)
        while head != tail { send(limit: Self.fifoSize) }
        lock.release()
    }

    /// A byte that was typed or sent to the guest.
    func receive() -> UInt8? {
        let status = port_read8(Self.base + 5)
        return status & Self.dataReady != 0 ? port_read8(Self.base) : nil
    }

    private func send(limit: Int) {
        for _ in 0..<min(limit, tail - head) {
            if room == 0 {
                guard port_read8(Self.base + 5) & Self.transmitterEmpty != 0 else { return }
                room = Self.fifoSize
            }
            port_write8(Self.base, ring[head % ringSize])
            head += 1
            room -= 1
        }
    }
}

/// A lock that vCPUs spin on. Held for microseconds.
final class Lock {
    private let word = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)

    init() { word.pointee = 0 }

    /// After so many attempts goes on without the lock.
    func acquire(attempts: Int = Int.max) {
        for _ in 0..<attempts {
            if shared_exchange64(word, 1) == 0 { return }
            spin_pause()
        }
    }

    func release() { shared_store64(word, 0) }
}
