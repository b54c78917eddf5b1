/// The DSDT, with the namespace of the machine's devices.
extension FirmwareTables {
    var systemDescription: ACPITable {
        var writer = AMLWriter()
        for object in namespace { object.write(to: &writer) }
        // From revision 2 on numbers have 64 bits.
        var table = ACPITable("DSDT", revision: 2)
        table.append(writer.bytes)
        return table
    }

    private var namespace: [AMLObject] {
        [
            // ACPI 6.5, section 7.4.2: the value that goes to the sleep register.
            .name("_S5", .package([.integer(UInt64(PortLayout.offSleepType)), .integer(0)])),
            .scope(
                .root("_SB"),
                [
                    // First: what follows refers to its names.
                    .ports(
                        "EVNT", PortLayout.events,
                        doublewords: ["EVTS", "ADDS", "RMVS", "EJCT"]),
                    hostBridge, motherboard, serialPort, panicPort, powerButton, eventDevice,
                ] + processors),
        ]
    }

    /// The root of the PCI bus, with what it passes on to its devices.
    private var hostBridge: AMLObject {
        let windows: [AMLResource] = [
            .busWindow(0...0),
            .ports(0xcf8..<0xd00),
            .portWindow(0...0xcf7),
            .portWindow(0xd00...0xffff),
            .memoryWindow32(PhysicalLayout.mmio32),
            .memoryWindow64(PhysicalLayout.mmio64(memorySize: memorySize)),
        ]
        return .device(
            "PCI0",
            [
                .name("_HID", .plugAndPlay(0x0a08)),  // PCI Express
                .name("_CID", .plugAndPlay(0x0a03)),
                .name("_UID", .integer(0)),
                .name("_SEG", .integer(0)),
                .name("_BBN", .integer(0)),
                .name("_CCA", .integer(1)),  // devices see what the caches have
                .name("_CRS", AMLResource.list(windows)),
                operatingSystemCapabilities,
            ] + slots + [slotEvents])
    }

    /// _OSC of a PCI host bridge: which features the guest's kernel may take over (ACPI 6.5,
    /// section 6.2.11; PCI Firmware Specification 3.3, section 4.5).
    private var operatingSystemCapabilities: AMLObject {
        let status = AMLPath("CDW1")
        let control = AMLPath("CDW3")
        // Power management events, error reporting and the capability structure. Hot-plug is not
        // that of PCI Express: it comes through ACPI.
        let granted: UInt64 = 0b1_1100
        let set = { (bits: UInt64) -> AMLStatement in
            .store(.or(.named(status), .integer(bits)), in: .named(status))
        }
        return .method(
            "_OSC", arguments: 4,
            [
                .doubleword(of: .argument(3), at: 0, "CDW1"),
                .ifElse(
                    .equal(.argument(0), .uuid("33db4d5b-1ff7-401c-9657-7441c03dd766")),
                    [
                        .doubleword(of: .argument(3), at: 8, "CDW3"),
                        .store(
                            .and(.named(control), .integer(granted)), in: .local(0)),
                        .ifElse(
                            .equal(.local(0), .named(control)), [], [set(1 << 4)]),  // masked
                        .ifElse(
                            .equal(.argument(1), .integer(1)), [], [set(1 << 3)]),  // revision
                        .store(.local(0), in: .named(control)),
                    ],
                    [set(1 << 2)]),  // unknown identifier
                .returning(.argument(3)),
            ])
    }

    /// Holds what belongs to no device, so that nothing else is put there: Linux uses the
    /// memory-mapped configuration space only if it is reserved in this way.
    private var motherboard: AMLObject {
        .device(
            "MBRD",
            [
                .name("_HID", .plugAndPlay(0x0c02)),
                .name("_UID", .integer(0)),
                .name(
                    "_CRS",
                    AMLResource.list([
                        .memory(PhysicalLayout.pciConfiguration), .ports(PortLayout.sleep),
                        .ports(PortLayout.events),
                    ])),
            ])
    }

    private var serialPort: AMLObject {
        .device(
            "COM1",
            [
                .name("_HID", .plugAndPlay(0x0501)),
                .name("_UID", .integer(0)),
                .name("_DDN", .text("COM1")),
                .name(
                    "_CRS",
                    AMLResource.list([
                        .ports(SerialPort.ports), .interrupt(SerialPort.interruptLine),
                    ])),
            ])
    }

    private var panicPort: AMLObject {
        .device(
            "PNIC",
            [
                .name("_HID", .text("QEMU0001")),
                .name("_UID", .integer(0)),
                .name("_CRS", AMLResource.list([.ports(PortLayout.panic)])),
            ])
    }

    private var processors: [AMLObject] {
        (0..<processorCount).map { processor in
            .device(
                AMLName("C", number: processor, digits: 3),
                [
                    .name("_HID", .text("ACPI0007")),
                    .name("_UID", .integer(UInt64(processor))),
                ])
        }
    }
}
