import Testing

@testable import ControlAPI

@Suite struct CallTests {
    static let create = #"{"payload": {"kernel": "/k"}}"#
    static let send = #"{"destination_url": "unix:/s"}"#
    static let receive = #"{"receiver_url": "tcp:0.0.0.0:4444"}"#

    static func body(for endpoint: Endpoint) -> String {
        switch endpoint {
        case .create: create
        case .addDisk: #"{"path": "/d"}"#
        case .addNet: #"{"tap": "t"}"#
        case .removeDevice: #"{"id": "_disk0"}"#
        case .resizeDisk: #"{"id": "_disk0", "desired_size": 4096}"#
        case .sendMigration: send
        case .receiveMigration: receive
        case .resolveMigration: #"{"owner": "Source"}"#
        case .setMigrationOptions: #"{"downtime_ms": 50, "bandwidth": 1048576}"#
        default: ""
        }
    }

    static func call(_ method: String, _ path: String, _ body: String) throws(APIFailure) -> APICall
    {
        try APICall(
            HTTPRequest(method: method, path: path, body: Array(body.utf8), keepsAlive: true))
    }

    @Test(arguments: Endpoint.allCases)
    func goodRequestIsItsCall(endpoint: Endpoint) throws {
        let call = try Self.call(endpoint.method, endpoint.path, Self.body(for: endpoint))
        #expect(call.endpoint == endpoint)
    }

    @Test(arguments: Endpoint.allCases)
    func wrongMethodIs400(endpoint: Endpoint) {
        for method in ["GET", "PUT", "POST", "DELETE", "HEAD"] where method != endpoint.method {
            let failure = #expect(throws: APIFailure.self) {
                try Self.call(method, endpoint.path, Self.body(for: endpoint))
            }
            #expect(failure?.status == .badRequest)
        }
    }

    @Test(arguments: Endpoint.allCases)
    func missingOrUnexpectedBodyIs400(endpoint: Endpoint) {
        let failure = #expect(throws: APIFailure.self) {
            try Self.call(endpoint.method, endpoint.path, endpoint.hasBody ? "" : "{}")
        }
        #expect(failure?.status == .badRequest)
        #expect(failure?.description.contains("body") == true)
    }

    @Test(arguments: Endpoint.allCases.filter(\.hasBody))
    func badBodyIs400AndNamesTheField(endpoint: Endpoint) {
        for (body, name) in [
            ("{", "JSON"), ("null", "body"), ("[]", "body"), (#"{"wrong_key": 1}"#, "wrong_key"),
        ] {
            let failure = #expect(throws: APIFailure.self) {
                try Self.call(endpoint.method, endpoint.path, body)
            }
            #expect(failure?.status == .badRequest)
            #expect(failure?.reasons.count == 2)
            #expect(failure?.reasons.last?.contains(name) == true)
        }
    }

    @Test(arguments: [
        "/", "", "/api/v1", "/api/v1/", "/api/v1/vm.fly", "/api/v2/vmm.ping", "/api/v1/vmm.ping/",
        "/api/v1/vmm.ping?x=1", "*", "http://localhost/api/v1/vmm.ping",
    ])
    func unknownPathIs404(path: String) {
        let failure = #expect(throws: APIFailure.self) { try Self.call("GET", path, "") }
        #expect(failure?.status == .notFound)
    }

    @Test(arguments: Endpoint.unsupported)
    func pathWithoutSupportIs404AndNamed(name: String) {
        let failure = #expect(throws: APIFailure.self) {
            try Self.call("PUT", "/api/v1/\(name)", "{}")
        }
        #expect(failure?.status == .notFound)
        #expect(failure?.description == "not supported by Martlet yet: \(name)")
    }

    @Test func invalidConfigurationIs400() {
        let failure = #expect(throws: APIFailure.self) {
            try Self.call("PUT", Endpoint.create.path, #"{"cpus": {"boot_vcpus": 0}}"#)
        }
        #expect(failure?.status == .badRequest)
    }

    @Test func duplicateDeviceIs409() {
        let failure = #expect(throws: APIFailure.self) {
            try Self.call(
                "PUT", Endpoint.create.path,
                #"{"payload": {"kernel": "/k"}, "rng": {"id": "a"}, "console": {"id": "a"}}"#)
        }
        #expect(failure?.status == .conflict)
    }

    @Test func bodiesOfDeviceCallsReachTheirCalls() throws {
        var disk = DiskConfig()
        disk.path = "/d"
        disk.slot = 5
        #expect(
            try Self.call(
                "PUT", Endpoint.addDisk.path, #"{"path": "/d", "pci_device_id": 5}"#)
                == .addDisk(disk))
        #expect(
            try Self.call("PUT", Endpoint.removeDevice.path, #"{"id": "x"}"#)
                == .removeDevice(RemoveDeviceData(id: "x")))
        #expect(
            try Self.call("PUT", Endpoint.resizeDisk.path, #"{"id": "x", "desired_size": 512}"#)
                == .resizeDisk(ResizeDiskData(id: "x", desiredSize: 512)))
    }

    @Test(arguments: [
        (Endpoint.removeDevice, "{}", "id is missing"),
        (.resizeDisk, #"{"id": "x"}"#, "desired_size"),
        (.resizeDisk, #"{"desired_size": 1}"#, "id is missing"),
        (.resizeDisk, #"{"id": "x", "desired_size": -1}"#, "desired_size"),
        (.addDisk, #"{"paht": "x"}"#, "paht"),
        (.addNet, #"{"pci_device_id": 300}"#, "pci_device_id"),
    ])
    func badBodyOfADeviceCallIsRefused(endpoint: Endpoint, body: String, name: String) {
        let failure = #expect(throws: APIFailure.self) {
            try Self.call("PUT", endpoint.path, body)
        }
        #expect(failure?.status == .badRequest)
        #expect(failure?.description.contains(name) == true)
    }

    @Test func bodyReachesTheCall() throws {
        #expect(
            try Self.call("PUT", Endpoint.sendMigration.path, Self.send)
                == .sendMigration(SendMigrationData(destinationURL: "unix:/s")))
    }
}
