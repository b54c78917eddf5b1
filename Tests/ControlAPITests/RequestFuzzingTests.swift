import Testing

@testable import ControlAPI

/// What a fuzzer drives, for a short time and from fixed seeds.
@Suite struct RequestFuzzingTests {
    private static let connections = [
        RequestParserTests.request,
        ServerTests.ping + ServerTests.ping,
        "PUT /api/v1/vm.create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "CONNECT x HTTP/1.1\r\n\r\nabc\r\n",
        "GET / HTTP/1.1\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\nabcdef\r\n",
    ]
    private static let bodies = [
        CallTests.create, CallTests.send, "path=/a,readonly=on,id=[a,b]", "size=512M,shared=on",
        "tty,id=a", "boot=2,max=3", "fd=3",
        #"{"cpus":{"boot_vcpus":2,"features":{"amx":false}},"disks":[{"path":"/d"}],"#
            + #""net":[{"mac":"02:00:00:00:00:01"}],"payload":{"kernel":"k"}}"#,
    ]
    private static let tokens = [
        "\"", "{", "}", "[", "]", ",", ":", "null", "1e400", "-0", "99999999999999999999",
        "\\u0000", "\r\n", "\0", "=", "\u{ff}", "Content-Length: 5\r\n",
    ]

    @Test(arguments: 0..<8)
    func mutatedInputNeverTraps(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for round in 0..<250 {
            let isBody = round.isMultiple(of: 2)
            let samples = isBody ? Self.bodies : Self.connections
            var bytes = Array(try #require(samples.randomElement(using: &random)).utf8)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                Self.mutate(&bytes, &random)
            }
            let first = isBody ? 0 : UInt8.random(in: 1...255, using: &random)
            RequestFuzzing.run([first] + bytes)
        }
    }

    @Test func theSameBytesGiveTheSameResult() {
        let bytes = Array((ServerTests.ping + RequestParserTests.request + "garbage\r\n").utf8)
        for length in [1, 3, 64, 1000] {
            #expect(RequestFuzzing.run(bytes, pieceLength: length) == 2)
        }
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix) {
        guard let position = bytes.indices.randomElement(using: &random) else { return }
        let end = min(bytes.count, position + Int.random(in: 1...20, using: &random))
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[position] = .random(in: 0 ... .max, using: &random)
        case 1: bytes.removeSubrange(position..<end)
        case 2: bytes.insert(contentsOf: bytes[position..<end], at: position)
        default:
            let token = tokens.randomElement(using: &random) ?? ""
            bytes.insert(contentsOf: token.utf8, at: position)
        }
    }
}
