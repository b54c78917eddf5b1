import GuestMemory
import LinuxSystem

/// A kernel or an initramfs, read piece by piece and straight into guest memory.
struct BootFile: ~Copyable {
    /// Its path, for errors.
    let name: String

    /// Its length in bytes.
    let size: UInt64

    private let descriptor: OwnedDescriptor

    init(path: String) throws(BootError) {
        name = path
        do throws(SystemError) {
            let descriptor = try OwnedDescriptor(opening: path)
            size = UInt64(clamping: try descriptor.regularFileSize)
            self.descriptor = descriptor
        } catch {
            throw .file(error)
        }
    }

    /// The bytes from `offset` on, at most `limit` of them; fewer at the end of the file.
    func head(limit: Int, at offset: UInt64 = 0) throws(BootError) -> [UInt8] {
        guard let position = Int(exactly: offset), offset < size else { return [] }
        do throws(SystemError) {
            return try descriptor.read(maximum: limit, at: position)
        } catch {
            throw .file(error)
        }
    }

    /// Copies `length` bytes from `offset` to guest memory.
    func load(
        offset: UInt64, to range: GuestRange, of memory: GuestRAM
    ) throws(BootError) {
        try checkExtent(offset: offset, length: range.length)
        let segment = try bootMemory { () throws(GuestMemoryError) in try memory.segment(range) }
        let count: Int
        do throws(SystemError) {
            count = try descriptor.read(into: segment, at: Int(clamping: offset))
        } catch {
            throw .file(error)
        }
        memory.markDirty(range)
        guard count == segment.count else {
            throw .truncated(
                file: name, needed: offset + range.length, actual: offset + UInt64(count))
        }
    }

    /// Checks that the file has `length` bytes from `offset` on.
    func checkExtent(offset: UInt64, length: UInt64) throws(BootError) {
        let (end, overflow) = offset.addingReportingOverflow(length)
        guard !overflow, end <= size else {
            throw .truncated(file: name, needed: overflow ? .max : end, actual: size)
        }
    }
}

/// Turns a refusal of guest memory into an error of booting.
func bootMemory<Value>(
    _ body: () throws(GuestMemoryError) -> Value
) throws(BootError) -> Value {
    do throws(GuestMemoryError) {
        return try body()
    } catch {
        throw .memory(error)
    }
}
