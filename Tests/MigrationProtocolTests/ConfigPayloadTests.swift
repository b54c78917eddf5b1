import MigrationProtocol
import Testing

@Suite struct ConfigPayloadTests {
    private static let guest = #"{"cpus":{"boot_vcpus":2},"memory":{"size":4294967296},"x":[-1.5]}"#

    private static let payload = ConfigPayload(
        guestConfiguration: Array(guest.utf8),
        processorFeatures: [
            ProcessorFeatureEntry(
                function: 7, index: 1, flags: 1, eax: .max, ebx: 2, ecx: 3, edx: 4)
        ],
        memory: MemoryDescription(
            guestMappings: [
                .init(slot: 0, address: 0, size: 3 << 30, fileOffset: 0),
                .init(slot: 1, address: 1 << 32, size: 1 << 30, fileOffset: 3 << 30),
            ], startOfDeviceArea: 0xFFFF_FFFF_FFFF_F000),
        martlet: MartletDescription(
            version: "0.1", components: [.init(name: "machine", version: 1)], pageSize: 4096,
            hiddenFeatures: ["svm"], featureRegisters: [.init(index: 0x10a, value: .max)]))

    @Test func payloadSurvivesTheWire() throws {
        let decoded = try ConfigPayload(decoding: try Self.payload.encoded())
        #expect(decoded == Self.payload)
        #expect(try decoded.memory.regions().regions.count == 2)
        #expect(decoded.memory.nextSlot == 2)
        #expect(decoded.memory.bootMemory == 4 << 30)
    }

    @Test func keysAreCloudHypervisors() throws {
        let text = String(decoding: try Self.payload.encoded(), as: UTF8.self)
        for key in [
            "vm_config", "common_cpuid", "memory_manager_data", "memory_ranges", "data",
            "guest_ram_mappings", "gpa", "zone_id", "virtio_mem", "file_offset",
            "start_of_device_area", "boot_ram", "current_ram", "arch_mem_regions", "r_type",
            "hotplug_slots", "next_memory_slot", "selected_slot", "next_hotplug_slot",
        ] {
            #expect(text.contains("\"\(key)\":"), "\(key)")
        }
    }

    @Test func payloadOfAnotherProgramIsRead() throws {
        let text = """
            {"vm_config":{"payload":{"kernel":"/k"}},"new_key":{"a":[1]},
             "memory_manager_data":{"memory_ranges":{"data":[]},"guest_ram_mappings":[
              {"slot":0,"gpa":0,"size":536870912,"zone_id":"mem0","virtio_mem":false,
               "file_offset":0,"extra":true}],
              "start_of_device_area":274609471488,"boot_ram":536870912,"current_ram":536870912,
              "arch_mem_regions":[{"base":0,"size":3221225472,"r_type":"Ram"}],
              "hotplug_slots":[{"base":0,"length":0,"active":false,"inserting":false,
               "removing":false}],"next_memory_slot":1,"selected_slot":0,"next_hotplug_slot":0}}
            """
        let payload = try ConfigPayload(decoding: Array(text.utf8))
        #expect(payload.martlet == nil)
        #expect(payload.processorFeatures.isEmpty)
        #expect(payload.memory.guestMappings.first?.size == 536_870_912)
        #expect(
            String(decoding: payload.guestConfiguration, as: UTF8.self)
                == #"{"payload":{"kernel":"/k"}}"#)
    }

    @Test(arguments: [
        "", "x", "[]", "{}", #"{"vm_config":{}}"#, #"{"vm_config":{},"memory_manager_data":7}"#,
        #"{"vm_config":1e999,"memory_manager_data":{}}"#, "\u{0}", "{\"vm_config\":\"\\",
        #"{"vm_config":{},"memory_manager_data":{"guest_ram_mappings":[{"slot":-1}]}}"#,
    ])
    func malformedPayloadIsAnError(text: String) {
        #expect(throws: ConfigError.self) { try ConfigPayload(decoding: Array(text.utf8)) }
    }

    @Test func errorNamesTheKey() {
        let text = #"{"vm_config":{},"memory_manager_data":{"guest_ram_mappings":[{"slot":"0"}]}}"#
        do {
            _ = try ConfigPayload(decoding: Array(text.utf8))
            Issue.record("A text as slot was accepted")
        } catch {
            #expect("\(error)".contains("memory_manager_data.guest_ram_mappings"))
        }
    }

    @Test func deepNestingIsRefusedBeforeItIsDecoded() {
        let text = String(repeating: "[", count: 1_000_000)
        #expect(throws: ConfigError.tooDeep) { try ConfigPayload(decoding: Array(text.utf8)) }
        let quoted = "\"" + String(repeating: "[\\\"", count: 100) + "\""
        #expect(throws: ConfigError.malformed(reason: " has another type than expected")) {
            try ConfigPayload(decoding: Array(quoted.utf8))
        }
    }

    @Test func oversizedPayloadIsRefused() {
        let bytes = [UInt8](repeating: 0x20, count: Limits.maximumConfigBytes + 1)
        #expect(throws: ConfigError.tooLarge(byteCount: bytes.count)) {
            try ConfigPayload(decoding: bytes)
        }
    }

    @Test func componentsThatCannotBeReadAreNamed() {
        let description = MartletDescription(
            version: "1",
            components: [
                .init(name: "machine", version: 2), .init(name: "disk", version: 1),
                .init(name: "warp", version: 1), .init(name: "net", version: 0),
            ], pageSize: 4096, hiddenFeatures: [])
        let known: [String: UInt16] = ["machine": 1, "disk": 1, "net": 1]
        #expect(
            description.unreadableComponents(known: known).map(\.name)
                == ["machine", "warp", "net"])
    }

    @Test func overlappingMappingsHaveNoRegions() {
        let memory = MemoryDescription(
            guestMappings: [
                .init(slot: 0, address: 0, size: .max, fileOffset: 0),
                .init(slot: .max, address: 1, size: .max, fileOffset: 0),
            ], startOfDeviceArea: 0)
        #expect(throws: RangeError.self) { try memory.regions() }
    }
}
