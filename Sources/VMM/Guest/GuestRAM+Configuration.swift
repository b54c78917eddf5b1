import ControlAPI
import GuestMemory
import LinuxSystem
import Machine

extension GuestRAM {
    /// Fresh memory as a configuration describes it.
    static func make(for configuration: MemoryConfig) throws(GuestError) -> GuestRAM {
        do throws(GuestMemoryError) {
            let memory = try GuestRAM(
                layout: PhysicalLayout.regions(memorySize: configuration.size),
                backing: configuration.backing)
            if configuration.prefault { try memory.populate() }
            return memory
        } catch {
            throw .machine("\(error)")
        }
    }
}

extension MemoryConfig {
    /// What stands behind the memory at the host.
    var backing: MemoryBacking {
        let isLarge = hugepageSize.map(Int.init(clamping:)) == HugePageSize.oneGibibyte.rawValue
        let hugePages: HugePageSize? =
            hugepages ? isLarge ? .oneGibibyte : .twoMebibytes : nil
        return shared ? .sharedFile(hugePages: hugePages) : .privateAnonymous(hugePages: hugePages)
    }
}
