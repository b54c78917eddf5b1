internal import StateCoding

/// The host bridge at 00:00.0, which guests look for before they believe in a bus. It has a header
/// and nothing else.
final class HostBridge: PCIDevice {
    let identifier = "_host-bridge"

    /// Identifies itself as the bridge of Intel's that other virtual machine monitors show, for
    /// which no guest has work to do.
    let function = PCIFunction(
        space: ConfigurationSpace(
            identity: PCIIdentity(vendor: 0x8086, device: 0x0D57, classCode: 0x06_00_00)))

    func readConfiguration(offset: Int, width: Int) -> UInt32 {
        function.readConfiguration(offset: offset, width: width)
    }

    func writeConfiguration(offset: Int, width: Int, value: UInt32) {
        function.writeConfiguration(offset: offset, width: width, value: value)
    }

    func save(into writer: inout StateWriter) {
        function.save(into: &writer)
    }

    func load(from reader: inout StateReader) throws(StateError) {
        try function.load(from: &reader)
    }

    func device(behind register: BaseAddressRegister) -> (any BusDevice)? { nil }

    func rangeMoved(_ register: BaseAddressRegister, to address: UInt64?) {}
}
