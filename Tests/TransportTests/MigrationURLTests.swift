import Testing
import Transport

@Suite struct MigrationURLTests {
    @Test(arguments: [
        ("tcp:host:1234", MigrationURL.tcp(host: "host", port: 1234)),
        ("tcp:127.0.0.1:0", .tcp(host: "127.0.0.1", port: 0)),
        ("tcp:[::1]:65535", .tcp(host: "::1", port: 65535)),
        ("unix:/run/guest.sock", .unix(path: "/run/guest.sock")),
        ("unix:relative", .unix(path: "relative")),
    ])
    func validURLIsReadAndWrittenBack(text: String, url: MigrationURL) throws {
        #expect(try MigrationURL(parsing: text) == url)
        #expect(url.description == text)
    }

    @Test(arguments: [
        "", "host:1", "http:host:1", "tcp:", "tcp:host", "tcp::1", "tcp:host:", "tcp:host:65536",
        "tcp:host:-1", "tcp:::1:80", "tcp:[]:80", "unix:",
        "unix:" + String(repeating: "x", count: 108),
    ])
    func invalidURLIsRefusedWithItsText(text: String) {
        let error = #expect(throws: TransportError.self) { try MigrationURL(parsing: text) }
        #expect(error?.description.contains("'\(text)'") == true)
    }
}
