import GuestMemory
import LinuxSystem
import Machine
import MigrationProtocol

extension GuestDescription {
    /// The payload of Config that describes this guest.
    ///
    /// - Parameter backing: what stands behind its memory at the source.
    func configPayload(backing: MemoryBacking) -> ConfigPayload {
        let mappings = regions.map { region in
            MemoryDescription.Mapping(
                slot: region.slot, address: region.start.rawValue, size: region.size,
                fileOffset: region.fileOffset)
        }
        let end = regions.compactMap(\.range?.end.rawValue).max() ?? 0
        return ConfigPayload(
            guestConfiguration: configuration,
            processorFeatures: cpuid.map(ProcessorFeatureEntry.init),
            memory: MemoryDescription(guestMappings: mappings, startOfDeviceArea: end),
            martlet: MartletDescription(
                version: "1",
                components: components.map { .init(name: $0.name, version: $0.version) },
                pageSize: backing.pageSize, hiddenFeatures: [],
                featureRegisters: registers.isEmpty
                    ? nil : registers.map { .init(index: $0.index, value: $0.value) }))
    }

    /// The guest that a payload describes.
    ///
    /// - Throws: when it comes from a VMM whose state Martlet cannot load.
    init(_ payload: ConfigPayload) throws(MigrationError) {
        guard let martlet = payload.martlet else {
            throw .invalidConfiguration(
                "it was written by another VMM, whose device state Martlet cannot load")
        }
        self.init(
            configuration: payload.guestConfiguration,
            cpuid: payload.processorFeatures.map(CPUIDEntry.init),
            registers: (martlet.featureRegisters ?? []).map {
                GuestRegister(index: $0.index, value: $0.value)
            },
            regions: payload.memory.guestMappings.map { mapping in
                RegionLayout(
                    slot: mapping.slot, start: GuestAddress(mapping.address), size: mapping.size,
                    fileOffset: mapping.fileOffset)
            },
            components: martlet.components.map {
                ComponentVersion(name: $0.name, version: $0.version)
            })
    }
}

extension ProcessorFeatureEntry {
    fileprivate init(_ entry: CPUIDEntry) {
        self.init(
            function: entry.function, index: entry.index, flags: entry.flags, eax: entry.eax,
            ebx: entry.ebx, ecx: entry.ecx, edx: entry.edx)
    }
}

extension CPUIDEntry {
    fileprivate init(_ entry: ProcessorFeatureEntry) {
        self.init(
            function: entry.function, index: entry.index, flags: entry.flags, eax: entry.eax,
            ebx: entry.ebx, ecx: entry.ecx, edx: entry.edx)
    }
}
