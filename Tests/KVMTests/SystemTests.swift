import KVM
import LinuxSystem
import Testing

/// Whether the tests that need a real KVM can run.
let hasKVM = isKVMUsable()

private func isKVMUsable() -> Bool {
    do {
        _ = try KVMSystem()
        return true
    } catch {
        return false
    }
}

@Suite struct SystemTests {
    @Test func missingDeviceIsNamedWithAdvice() {
        let error = #expect(throws: SystemError.self) {
            _ = try KVMSystem(path: "/nonexistent/kvm")
        }
        #expect(error?.object == "/nonexistent/kvm")
        #expect(error?.advice?.contains("load") == true)
    }

    @Test func fileThatIsNoKVMIsRefused() {
        let error = #expect(throws: SystemError.self) { _ = try KVMSystem(path: "/dev/null") }
        #expect(error?.object == "/dev/null")
    }

    @Test(.enabled(if: hasKVM, "needs /dev/kvm"))
    func systemTellsWhatProcessorsCanDo() throws {
        let system = try KVMSystem()
        let cpuid = try system.supportedCPUID()
        let registers = try system.stateRegisters()

        #expect(cpuid.contains { $0.function == 0 })
        #expect(registers.contains(0x10))  // IA32_TIME_STAMP_COUNTER
        #expect(system.value(of: .interruptChips) > 0)
        #expect(system.value(of: KVMCapability(rawValue: .max)) == 0)
        _ = try system.featureRegisters()
    }
}
