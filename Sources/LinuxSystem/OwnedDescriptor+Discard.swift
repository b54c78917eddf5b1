internal import CLinux
import Glibc

/// Giving space back, for regular files (fallocate(2)) and block devices (`BLKDISCARD` and
/// `BLKZEROOUT` of linux/fs.h).
extension OwnedDescriptor {
    /// Whether `discard` works on this file, found out without changing anything in it.
    public var canDiscard: Bool {
        do throws(SystemError) {
            if try isBlockDevice {
                // A range without length is refused only after the device was asked.
                try control(CLINUX_BLKDISCARD, offset: 0, count: 0, "discard a range of")
            } else {
                // Behind the end there is nothing to lose.
                try punchHole(offset: try storageSize, count: 4096)
            }
            return true
        } catch {
            return error.errno == .invalidArgument
        }
    }

    /// Gives the space of a range back: a file reads as zeros there, a block device as anything.
    /// - Throws: `.notSupported` where that cannot be done.
    public func discard(offset: Int, count: Int) throws(SystemError) {
        if try isBlockDevice {
            try control(CLINUX_BLKDISCARD, offset: offset, count: count, "discard a range of")
        } else {
            try punchHole(offset: offset, count: count)
        }
    }

    /// Makes a range read as zeros, and gives its space back or keeps it.
    /// - Throws: `.notSupported` where that can only be done by writing.
    public func zero(
        offset: Int, count: Int, givingBackSpace: Bool
    ) throws(SystemError) {
        if try isBlockDevice {
            try control(CLINUX_BLKZEROOUT, offset: offset, count: count, "zero a range of")
        } else if givingBackSpace {
            try punchHole(offset: offset, count: count)
        } else {
            _ = try check(
                retryingShim { clinux_zero_range(rawValue, offset, count) }, "zero a range of",
                name)
        }
    }

    private func punchHole(offset: Int, count: Int) throws(SystemError) {
        _ = try check(
            retryingShim { clinux_punch_hole(rawValue, offset, count) }, "discard a range of",
            name)
    }

    private func control(
        _ request: UInt, offset: Int, count: Int, _ operation: String
    ) throws(SystemError) {
        let range: [2 of UInt64] = [UInt64(clamping: offset), UInt64(clamping: count)]
        // SAFETY: the kernel reads two numbers.
        let result = unsafe withUnsafePointer(to: range) { range in
            retryingShim { unsafe clinux_ioctl_constant(rawValue, request, range) }
        }
        _ = try check(result, operation, name)
    }
}
