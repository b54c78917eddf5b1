import Intrinsics

/// The devices found, in the order of the bus.
struct Devices {
    private(set) var disks: [BlockDevice] = []
    private(set) var network: NetworkDevice?
    /// Bytes that the entropy device gave.
    private(set) var entropyBytes: UInt64 = 0
    private(set) var console: ConsoleDevice?

    /// Looks at all buses and brings up what is known. A device which fails is reported.
    init(
        _ information: start_info, _ tables: PageTables, _ memory: PhysicalMemory,
        _ clock: Clock, _ reporter: Reporter
    ) {
        guard let space = ConfigurationSpace.find(information, tables) else { return }
        let vectors = Vectors()
        var devices = self
        Bus(space, tables, memory).forEachFunction { function in
            guard let device = VirtioDevice(function) else { return }
            let isUp = devices.take(device, memory, vectors, clock)
            if !isUp { reporter.error("device", "virtio", UInt64(device.kind.rawValue)) }
        }
        self = devices
    }

    private mutating func take(
        _ device: VirtioDevice, _ memory: PhysicalMemory, _ vectors: Vectors, _ clock: Clock
    ) -> Bool {
        switch device.kind {
        case .block:
            guard let disk = BlockDevice(device, memory, vectors) else { return false }
            disks.append(disk)
        case .network:
            guard network == nil else { return true }
            network = NetworkDevice(device, memory, vectors)
            return network != nil
        case .entropy:
            guard let bytes = EntropyDevice.read(device, memory, clock) else {
                return false
            }
            entropyBytes += bytes
        case .console:
            console = ConsoleDevice(device, memory)
            return console != nil
        }
        return true
    }
}
