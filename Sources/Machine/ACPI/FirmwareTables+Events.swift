/// The part of the DSDT that tells the guest of events; `EventRegisters` is the other end.
extension FirmwareTables {
    private static let powerButtonPath = AMLPath.root("_SB", "PWRB")
    private static let slotEventsPath = AMLPath.root("_SB", "PCI0", "SLTS")

    var powerButton: AMLObject {
        .device(
            "PWRB",
            [.name("_HID", .plugAndPlay(0x0c0c)), .name("_UID", .integer(0))])
    }

    /// The generic event device (ACPI 6.5, section 5.6.9), whose method runs at its interrupt.
    var eventDevice: AMLObject {
        .device(
            "GED",
            [
                .name("_HID", .text("ACPI0013")),
                .name("_UID", .integer(0)),
                .name("_CRS", AMLResource.list([.interrupt(PortLayout.eventInterrupt)])),
                .method(
                    "_EVT", arguments: 1,
                    [
                        .store(.named(AMLPath("EVTS")), in: .local(0)),
                        // 0x80: pressed (section 5.6.6).
                        .ifTrue(
                            .and(.local(0), Self.bits(of: .powerButton)),
                            [.notify(Self.powerButtonPath, 0x80)]),
                        .ifTrue(
                            .and(.local(0), Self.bits(of: .slots)),
                            [.call(Self.slotEventsPath)]),
                    ]),
            ])
    }

    /// The slots of the bus in which devices come and go. A device without one of these could not
    /// be removed (section 6.3).
    var slots: [AMLObject] {
        Self.slotBits.map { slot, bit in
            .device(
                Self.name(ofSlot: slot),
                [
                    .name("_ADR", .integer(UInt64(slot) << 16)),
                    .name("_SUN", .integer(UInt64(slot))),
                    .method(
                        "_EJ0", arguments: 1,
                        [.store(.integer(bit), in: .named(AMLPath("EJCT")))]),
                ])
        }
    }

    /// Tells the driver of each slot what is there for it: 1 to look for a new device, 3 to eject
    /// (section 5.6.6).
    var slotEvents: AMLObject {
        var statements: [AMLStatement] = [
            .store(.named(AMLPath("ADDS")), in: .local(0)),
            .store(.named(AMLPath("RMVS")), in: .local(1)),
        ]
        for (slot, bit) in Self.slotBits {
            let path = AMLPath(Self.name(ofSlot: slot))
            statements += [
                .ifTrue(.and(.local(0), .integer(bit)), [.notify(path, 1)]),
                .ifTrue(.and(.local(1), .integer(bit)), [.notify(path, 3)]),
            ]
        }
        return .method("SLTS", arguments: 0, statements)
    }

    private static var slotBits: [(slot: Int, bit: UInt64)] {
        (1..<PCIBus.slotCount).map { ($0, 1 << UInt64($0)) }
    }

    private static func name(ofSlot slot: Int) -> AMLName {
        AMLName("S", number: slot, digits: 2)
    }

    private static func bits(of event: EventRegisters.Event) -> AMLValue {
        .integer(UInt64(event.rawValue))
    }
}
