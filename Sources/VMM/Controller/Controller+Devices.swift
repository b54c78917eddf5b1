import ControlAPI
import LinuxSystem
import Logging
import Machine
import Virtio

/// A device that is to be added.
enum NewDevice {
    /// A disk.
    case disk(DiskConfig)
    /// A network device.
    case net(NetConfig)

    /// The call that asks for it.
    var endpoint: Endpoint {
        switch self {
        case .disk: .addDisk
        case .net: .addNet
        }
    }
}

/// Devices that come and go.
extension Controller {
    /// Puts a device into the guest, or into its configuration where it has not been booted.
    func add(_ device: NewDevice, _ reply: consuming APIReply) {
        // What is gone for the guest shall be in nobody's way.
        removeEjectedDevices()
        let added: AddedDevice?
        do throws(APIFailure) {
            added = try add(device)
        } catch {
            environment.logger.warning("\(error)")
            return reply.fail(error)
        }
        if let added { reply.succeed(with: added) } else { reply.succeed() }
    }

    private func add(_ device: NewDevice) throws(APIFailure) -> AddedDevice? {
        guard var configuration = slot.configuration else { throw Self.noGuest }
        try extend(&configuration, by: device)
        guard let hardware = slot.hardware else {
            slot = .created(configuration)
            return nil
        }
        do throws(GuestError) {
            let member = try configuration.makeLast(of: device)
            let added = try hardware.add(member, configuration)
            environment.logger.info("\(added.id): added at \(added.bdf)")
            environment.events.record(.deviceAdded(device: added.id, address: added.bdf))
            return added
        } catch {
            throw APIFailure(
                error.failure.status,
                reasons: ["The device cannot be added"] + error.failure.reasons)
        }
    }

    /// Puts a device into a configuration, with its name, and for a guest that has been booted also
    /// with its place and its address.
    private func extend(
        _ configuration: inout VmConfig, by device: NewDevice
    ) throws(APIFailure) {
        var path = ""
        do {
            path =
                switch device {
                case .disk(let disk): try configuration.add(disk)
                case .net(let net): try configuration.add(net)
                }
            guard configuration.fitsTheBus else {
                throw PCIError.busFull(device: configuration.nameOfLast(of: device))
            }
            try configuration.validate()
            guard slot.hardware != nil else { return }
            try configuration.placeDevices()
            try configuration.chooseEthernetAddresses()
        } catch let error as SchemaError {
            throw APIFailure(error.relative(to: path), of: device.endpoint)
        } catch {
            throw APIFailure(.internalError, "The device cannot be added", "\(error)")
        }
    }

    /// Asks the guest to give a device up, or takes it out of the configuration of a guest that has
    /// not been booted.
    func removeDevice(_ id: String) throws(APIFailure) {
        guard var configuration = slot.configuration else { throw Self.noGuest }
        switch configuration.device(named: id) {
        case nil: throw Self.noDevice(id)
        case .permanent:
            throw APIFailure(
                .badRequest, "Device \(id) cannot be removed",
                "Only disks and network devices can be removed")
        case .disk, .net: break
        }
        guard let hardware = slot.hardware else {
            configuration.removeDevice(named: id)
            slot = .created(configuration)
            return
        }
        hardware.requestRemoval(of: id)
        environment.logger.info("\(id): the guest is asked to give it up")
    }

    /// Gives a disk another size.
    func resizeDisk(_ data: ResizeDiskData) throws(APIFailure) {
        guard let configuration = slot.configuration else { throw Self.noGuest }
        switch configuration.device(named: data.id) {
        case nil: throw Self.noDevice(data.id)
        case .permanent, .net:
            throw APIFailure(.badRequest, "Device \(data.id) cannot be resized", "It is no disk")
        case .disk: break
        }
        guard let hardware = slot.hardware else {
            throw APIFailure(
                .badRequest, "Disk \(data.id) cannot be resized",
                "The guest is not booted; change the size of its image")
        }
        do throws(DeviceError) {
            try hardware.resizeDisk(named: data.id, to: data.desiredSize)
        } catch {
            throw APIFailure(.badRequest, "Disk \(data.id) cannot be resized", "\(error)")
        }
    }

    /// Presses the power button; a paused guest finds that out when it runs.
    func pressPowerButton() {
        slot.hardware?.platform.events.pressPowerButton()
    }

    /// Sends the interrupt that cannot be masked to all vCPUs.
    func injectNMI() throws(GuestError) {
        do throws(PlatformError) {
            try slot.hardware?.platform.injectNMI()
        } catch {
            throw .machine("\(error)")
        }
    }

    /// Takes out what the guest has ejected, if the guest is here: one that is on its way belongs to
    /// the thread of its migration, and takes what it ejected with it in its state.
    func removeEjectedDevices() {
        switch slot.phase {
        case .sending, .receiving, .empty, .created: return
        case .running, .paused, .stranded: break
        }
        for id in slot.hardware?.removeEjected() ?? [] {
            environment.logger.info("\(id): the guest has given it up, it is gone")
            environment.events.record(.deviceRemoved(device: id))
        }
    }

    /// Completes a call that changes the guest when `body` returns.
    func finishChange(
        _ reply: consuming APIReply, _ body: () throws(APIFailure) -> Void
    ) {
        do throws(APIFailure) {
            try body()
            reply.succeed()
        } catch {
            environment.logger.warning("\(error)")
            reply.fail(error)
        }
    }

    private static var noGuest: APIFailure { APIFailure(.notFound, "VM is not created") }

    private static func noDevice(_ id: String) -> APIFailure {
        APIFailure(.notFound, "There is no device \(id)", "vm.info shows the devices")
    }
}

extension VmConfig {
    /// Makes the device that was appended last.
    fileprivate func makeLast(of device: NewDevice) throws(GuestError) -> DeviceSet.Member {
        switch device {
        case .disk(let disk): try DeviceFactory.makeDisk(disks.last ?? disk)
        case .net(let net): try DeviceFactory.makeNet(self.net.last ?? net)
        }
    }

    /// The name of the device that was appended last.
    fileprivate func nameOfLast(of device: NewDevice) -> String {
        switch device {
        case .disk: disks.last?.id ?? ""
        case .net: net.last?.id ?? ""
        }
    }
}
