import Linux

/// One side of a transfer that goes both ways: it sends blocks of a pattern, the server returns
/// what it got, and the answer is compared. TCP's own checksum is one of 16 bits, so the
/// comparison is of everything.
enum StreamLoad {
    fileprivate static let blockSize = 65536

    static func run(address: UnsafePointer<CChar>, port: UInt16) {
        let connection = lodger_connect(address, port)
        guard connection >= 0 else { failCall("connect") }
        let buffer = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: blockSize / 8)
        started("stream", "block_bytes", Int64(blockSize))

        var blocks: UInt64 = 0
        while !shouldStop() {
            var pattern = Pattern(seed: blocks)
            pattern.fill(buffer)
            sendAll(buffer, to: connection)
            guard receiveAll(buffer, from: connection) == blockSize else {
                fail("the connection ended early")
            }
            pattern = Pattern(seed: blocks)
            if pattern.firstDifference(in: buffer) != nil {
                fail("a block came back wrong:", "block", Int64(blocks))
            }
            blocks += 1
        }
        var line = Line()
        line.add("stream")
        line.add("blocks", Int64(blocks))
        line.add("wrong", 0)
        line.print()
    }
}

/// The other side: compares what comes with the pattern and sends it back, to any number of
/// clients, a process for each.
enum StreamServer {
    static func run(port: UInt16) {
        let listener = lodger_listen(port)
        guard listener >= 0 else { failCall("listen") }
        started("serve", "port", Int64(port))
        while !shouldStop() {
            let connection = lodger_accept(listener)
            guard connection >= 0 else { continue }
            if fork() == 0 {
                serve(connection)
                exit(0)
            }
            close(connection)
        }
    }

    private static func serve(_ connection: Int32) {
        let size = StreamLoad.blockSize
        let buffer = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: size / 8)
        var blocks: UInt64 = 0
        while true {
            let count = receiveAll(buffer, from: connection)
            if count == 0 { break }
            var pattern = Pattern(seed: blocks)
            if count < size || pattern.firstDifference(in: buffer) != nil {
                fail("a block arrived wrong:", "block", Int64(blocks))
            }
            sendAll(buffer, to: connection)
            blocks += 1
        }
        var line = Line()
        line.add("served")
        line.add("blocks", Int64(blocks))
        line.print()
    }
}
