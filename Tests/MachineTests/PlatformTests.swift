import GuestMemory
import LinuxSystem
import Machine
import Testing

@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct PlatformTests {
    /// mov dx, 0x3f8; then mov al, byte; out dx, al for each; then `rest`.
    private func printing(_ text: String, then rest: [UInt8]) -> [UInt8] {
        [0x66, 0xba, 0xf8, 0x03] + text.utf8.flatMap { [0xb0, $0, 0xee] } + rest
    }

    /// mov al, 0xfe; out 0x64, al; hlt
    private let reset: [UInt8] = [0xb0, 0xfe, 0xe6, 0x64, 0xf4]

    @Test func guestPrintsAndResets() throws {
        let guest = try TestGuest(code: printing("hello\n", then: reset))
        let output = try OwnedDescriptor.memoryFile()
        try guest.platform.serial.bind(output: output.duplicate(), loop: guest.platform.loop)
        try guest.platform.start()
        #expect(try guest.events.wait() == [.reset])
        try guest.platform.pause()
        #expect(try output.read(maximum: 100, at: 0) == Array("hello\n".utf8))
    }

    @Test(arguments: [
        ([0xb0, 0xfe, 0xe6, 0x64] as [UInt8], GuestEvent.reset),  // keyboard controller
        ([0x66, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee], .reset),  // PCI reset register
        ([0x66, 0xba, 0x00, 0x06, 0xb0, 0x01, 0xee], .reset),  // sleep port
        ([0xb8, 0xf0, 0xff, 0x0f, 0x00, 0xff, 0xe0], .reset),  // jump to the reset vector
        ([0x66, 0xba, 0x00, 0x06, 0xb0, 0x34, 0xee], .shutdown),
    ])
    func powerPortsStopTheGuest(code: [UInt8], event: GuestEvent) throws {
        // Behind the port: count in memory, for ever.
        let guest = try TestGuest(code: code + [0xff, 0x05, 0, 0, 0x20, 0, 0xeb, 0xf8])
        try guest.platform.start()
        #expect(try guest.events.wait() == [event])
        try guest.platform.pause()
        #expect(try guest.memory.load(UInt32.self, at: GuestAddress(0x20_0000)) == 0)
        #expect(guest.events.all.isEmpty)
    }

    @Test func tripleFaultIsReportedWithItsPlace() throws {
        // lidt of an empty table; ud2
        let guest = try TestGuest(code: [0x0f, 0x01, 0x1d, 0, 0, 0x20, 0, 0x0f, 0x0b])
        try guest.platform.start()
        let events = try guest.events.wait()
        guard case .crashed(let description) = events.first else {
            Issue.record("unexpected \(events)")
            return
        }
        #expect(description.contains("Processor 0"))
        try guest.platform.pause()
    }
}

extension OwnedDescriptor {
    fileprivate static func memoryFile() throws -> OwnedDescriptor {
        try MemoryFile(name: "output", size: 0).intoDescriptor()
    }
}
