import Linux

/// Writes blocks of a pattern to a file, with `fsync` after each, reads each back from the disk
/// and compares. The file is a ring of blocks; at the end all of it is compared once more.
enum FileLoad {
    private static let blocks = 64
    private static let blockSize = 65536

    static func run(path: UnsafePointer<CChar>) {
        let file = lodger_open(path, O_RDWR | O_CREAT)
        guard file >= 0 else { failCall("open") }
        let buffer = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: blockSize / 8)
        started("file", "block_bytes", Int64(blockSize))

        var written = 0
        while !shouldStop() {
            var pattern = Pattern(seed: UInt64(written))
            pattern.fill(buffer)
            guard lseek(file, offset(written), SEEK_SET) >= 0 else { failCall("lseek") }
            sendAll(buffer, to: file)
            guard fsync(file) == 0 else { failCall("fsync") }
            written += 1
            verify(written - 1, of: file, with: buffer)
        }
        for block in max(0, written - blocks)..<written { verify(block, of: file, with: buffer) }
        var line = Line()
        line.add("file")
        line.add("blocks", Int64(written))
        line.add("wrong", 0)
        line.print()
    }

    private static func offset(_ block: Int) -> Int { block % blocks * blockSize }

    private static func verify(
        _ block: Int, of file: Int32, with buffer: UnsafeMutableBufferPointer<UInt64>
    ) {
        // The page cache would answer with what was written; the disk is asked.
        posix_fadvise(file, offset(block), blockSize, POSIX_FADV_DONTNEED)
        guard lseek(file, offset(block), SEEK_SET) >= 0 else { failCall("lseek") }
        let count = receiveAll(buffer, from: file)
        var pattern = Pattern(seed: UInt64(block))
        if count < blockSize || pattern.firstDifference(in: buffer) != nil {
            fail("a block of the file is wrong:", "block", Int64(block))
        }
    }
}
