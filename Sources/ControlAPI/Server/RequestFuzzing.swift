/// The way of bytes from a client to a call, without a socket: what a fuzzer drives. The same bytes
/// give the same result.
package enum RequestFuzzing {
    /// Reads an input of a fuzzer: a first byte of 0 makes the rest a body and an option string,
    /// any other is the length of the pieces in which the rest comes as a connection's bytes.
    package static func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let rest = Array(input.dropFirst())
        if first == 0 {
            runBody(rest)
        } else {
            run(rest, pieceLength: Int(first))
        }
    }

    /// Reads `bytes` as those of one connection, in pieces of at most `pieceLength`, and reads the
    /// calls of the requests in them.
    /// - Returns: How many requests were complete; those after a fault are not read.
    @discardableResult
    package static func run(_ bytes: [UInt8], pieceLength: Int) -> Int {
        let parser = RequestParser()
        var count = 0
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(max(1, pieceLength))
            rest = rest.dropFirst(piece.count)
            parser.feed(piece)
            do throws(APIFailure) {
                while let request = try parser.next() {
                    count += 1
                    if let call = try? APICall(request), case .create(let config) = call {
                        checkRoundTrip(config)
                    }
                }
            } catch {
                return count
            }
        }
        return count
    }

    /// Reads `bytes` as the body of each call that has one, and as each option string.
    package static func runBody(_ bytes: [UInt8]) {
        for endpoint in Endpoint.allCases where endpoint.hasBody {
            let request = HTTPRequest(
                method: endpoint.method, path: endpoint.path, body: bytes, keepsAlive: true)
            if let call = try? APICall(request), case .create(let config) = call {
                checkRoundTrip(config)
            }
        }
        let text = String(decoding: bytes, as: UTF8.self)
        _ = try? CpusConfig(option: text)
        _ = try? MemoryConfig(option: text)
        _ = try? DiskConfig(option: text)
        _ = try? NetConfig(option: text)
        _ = try? RngConfig(option: text)
        _ = try? SerialConfig(option: text)
        _ = try? ConsoleConfig(option: text)
        _ = try? ResizeDiskData(option: text)
        _ = try? SendMigrationData(option: text)
        _ = try? ReceiveMigrationData(option: text)
        _ = try? APISocketOption(option: text)
        _ = try? EventMonitorOption(option: text)
    }

    /// What was accepted must read back as itself, or a migration would change the guest.
    private static func checkRoundTrip(_ config: VmConfig) {
        let again = try? JSONBody.decode(VmConfig.self, from: JSONBody.encode(config))
        precondition(again == config, "a configuration does not survive being written")
    }
}
