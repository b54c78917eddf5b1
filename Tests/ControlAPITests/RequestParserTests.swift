import Testing

@testable import ControlAPI

@Suite struct RequestParserTests {
    static let request =
        "PUT /api/v1/vm.create HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"

    @Test(arguments: [1, 2, 3, 7, 1000])
    func requestIsReadInPiecesOfAnyLength(length: Int) throws {
        let parser = RequestParser()
        var rest = Array((Self.request + Self.request).utf8)[...]
        while !rest.isEmpty {
            parser.feed(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        let expected = HTTPRequest(
            method: "PUT", path: "/api/v1/vm.create", body: Array("body".utf8), keepsAlive: true)
        #expect(try parser.next() == expected)
        #expect(try parser.next() == expected)
        #expect(try parser.next() == nil)
        #expect(!parser.isAmidRequest)
    }

    @Test(arguments: ["P", "PUT /", "PUT /x HTTP/1.1\r\nA: b\r\n"])
    func beginningOfTheNextRequestIsSeen(beginning: String) throws {
        let parser = RequestParser()
        parser.feed(Array((Self.request + beginning).utf8)[...])
        #expect(parser.completeCount == 1)
        #expect(parser.isAmidRequest)
    }

    @Test(arguments: [
        ("GET /x HTTP/1.0\r\n\r\n", false),
        ("GET /x HTTP/1.1\r\nConnection: close\r\n\r\n", false),
        ("GET /x HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", false),
        ("HEAD /x HTTP/1.1\r\n\r\n", false),
        ("GET /x HTTP/1.1\r\n\r\n", true),
    ])
    func connectionIsKeptAsAsked(text: String, keepsAlive: Bool) throws {
        let parser = RequestParser()
        parser.feed(Array(text.utf8)[...])
        #expect(try parser.next()?.keepsAlive == keepsAlive)
    }

    @Test(arguments: [
        "\u{0}\u{1}\u{2}", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ])
    func garbageIsRefused(text: String) {
        let parser = RequestParser()
        parser.feed(Array(text.utf8)[...])
        let failure = #expect(throws: APIFailure.self) { try parser.next() }
        #expect(failure?.status == .badRequest)
    }

    @Test(arguments: [100, 4096, 1 << 20])
    func headAboveTheLimitIsRefused(pieceLength: Int) {
        let long = String(repeating: "a", count: 9000)
        for text in ["GET /\(long) HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nA: \(long)\r\n\r\n", long]
        {
            let parser = RequestParser()
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                parser.feed(rest.prefix(pieceLength))
                rest = rest.dropFirst(pieceLength)
            }
            #expect(throws: APIFailure.self) { try parser.next() }
        }
    }

    @Test func endlessHeadersAreRefused() {
        let parser = RequestParser()
        parser.feed(Array("GET / HTTP/1.1\r\n".utf8)[...])
        for index in 0..<10_000 {
            parser.feed(Array("H\(index): v\r\n".utf8)[...])
        }
        #expect(throws: APIFailure.self) { try parser.next() }
    }

    @Test func announcedBodyAboveTheLimitIsRefusedAtOnce() {
        let parser = RequestParser()
        parser.feed(Array("PUT / HTTP/1.1\r\nContent-Length: 4194305\r\n\r\n".utf8)[...])
        #expect(throws: APIFailure.self) { try parser.next() }
    }

    @Test func chunkedBodyIsReadUpToTheLimit() throws {
        let head = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        let parser = RequestParser(limits: .init(head: 8192, body: 8))
        parser.feed(Array((head + "3\r\nabc\r\n0\r\n\r\n").utf8)[...])
        #expect(try parser.next()?.body == Array("abc".utf8))
        parser.feed(Array((head + "9\r\nabcdefghi\r\n").utf8)[...])
        #expect(throws: APIFailure.self) { try parser.next() }
    }
}

/// Numbers that follow from a seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
