import Linux

/// Asks a block device to forget a range (`BLKDISCARD`) or to fill it with zeros (`BLKZEROOUT`).
enum BlockCommand {
    static func run(path: UnsafePointer<CChar>, megabytes: Int, zeroes: Bool) {
        let device = lodger_open(path, O_RDWR)
        guard device >= 0 else { failCall("open") }
        guard lodger_clear_blocks(device, UInt64(megabytes) << 20, zeroes ? 1 : 0) == 0 else {
            failCall(zeroes ? "BLKZEROOUT" : "BLKDISCARD")
        }
        close(device)
    }
}
