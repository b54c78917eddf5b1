import ControlAPI
import Logging
import Virtio

/// Turns what happens to one device into log lines and events.
struct DeviceReporter: Sendable {
    private let identifier: String
    private let events: EventSink
    private let logger: Logger

    init(_ identifier: String, _ environment: VMMEnvironment) {
        self.identifier = identifier
        events = environment.events
        logger = environment.logger
    }

    /// Reports an event, from any thread.
    @Sendable func report(_ event: DeviceEvent) {
        switch event {
        case .activated:
            logger.debug("\(identifier): the guest's driver uses it")
            events.record(.activated(device: identifier))
        case .reset:
            logger.debug("\(identifier): the guest's driver has reset it")
            events.record(.reset(device: identifier))
        case .failed(let reason):
            logger.warning("\(identifier): it waits for a reset by the guest: \(reason)")
        case .backendFailed(let reason):
            logger.warning("\(identifier): \(reason)")
        case .note(let text):
            logger.info("\(identifier): \(text)")
        }
    }
}
