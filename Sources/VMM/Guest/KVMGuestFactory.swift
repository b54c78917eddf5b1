import ControlAPI
import GuestMemory
import Logging
import Machine
import Synchronization

/// Builds the machine of a guest that is received.
struct KVMGuestFactory: GuestFactory {
    let environment: VMMEnvironment
    /// Told what the received guest does.
    let handler: GuestNoticeHandler

    func configure(
        _ description: GuestDescription, memory: consuming IncomingMemory
    ) throws(HardwareError) -> KVMGuest {
        try checkComponents(of: description)
        let configuration = try decode(description.configuration)
        guard description.regions == PhysicalLayout.regions(memorySize: configuration.memory.size)
        else {
            throw HardwareError(
                .configure, "The source places the guest's memory otherwise than Martlet does")
        }
        let ram = try makeMemory(for: configuration.memory, description, memory)
        do throws(GuestError) {
            let guest = try KVMGuest(
                building: configuration, memory: ram, arrived: description, environment,
                handler: handler)
            if let reason = guest.whyNotRestartable {
                environment.logger.warning(
                    "The guest can run here but not be started anew (reset, vm.reboot), and \(reason)"
                )
            }
            return guest
        } catch {
            throw HardwareError(.configure, cause: error)
        }
    }

    /// Whoever sends a state that is not known here must be told before the guest is paused.
    private func checkComponents(of description: GuestDescription) throws(HardwareError) {
        for component in description.components {
            guard let known = KVMGuest.components.first(where: { $0.name == component.name })
            else {
                throw HardwareError(
                    .configure, "The state of \(component.name) is not known to this version")
            }
            guard component.version <= known.version else {
                throw HardwareError(
                    .configure,
                    "The state of \(component.name) has version \(component.version), this "
                        + "version reads up to \(known.version); update the destination first")
            }
        }
    }

    private func decode(_ bytes: [UInt8]) throws(HardwareError) -> VmConfig {
        do throws(SchemaError) {
            let configuration = try JSONBody.decode(VmConfig.self, from: bytes)
            try configuration.validate()
            return configuration
        } catch {
            throw HardwareError(.configure, "The guest's configuration is refused: \(error)")
        }
    }

    private func makeMemory(
        for configuration: MemoryConfig, _ description: GuestDescription,
        _ memory: consuming IncomingMemory
    ) throws(HardwareError) -> GuestRAM {
        do {
            switch consume memory {
            case .copied:
                return try GuestRAM.make(for: configuration)
            case .passed(let files):
                guard configuration.shared else {
                    throw HardwareError(
                        .configure, "The guest's memory is private and cannot be handed over")
                }
                return try GuestRAM(
                    adopting: description.regions, hugePages: configuration.backing.hugePages
                ) { files.file(slot: $0) }
            }
        } catch let error as HardwareError {
            throw error
        } catch {
            throw HardwareError(.configure, cause: error)
        }
    }
}
