internal import LinuxSystem

/// Feature bits of network interfaces (virtio 1.2, section 5.1.3). "Host" is the device here,
/// "guest" the driver.
enum NetFeature {
    static let checksum = VirtioFeatures(bit: 0)
    static let guestChecksum = VirtioFeatures(bit: 1)
    static let maximumTransmissionUnit = VirtioFeatures(bit: 3)
    static let address = VirtioFeatures(bit: 5)
    static let guestSegmentation4 = VirtioFeatures(bit: 7)
    static let guestSegmentation6 = VirtioFeatures(bit: 8)
    static let guestCongestionNotification = VirtioFeatures(bit: 9)
    static let hostSegmentation4 = VirtioFeatures(bit: 11)
    static let hostSegmentation6 = VirtioFeatures(bit: 12)
    static let hostCongestionNotification = VirtioFeatures(bit: 13)
    static let status = VirtioFeatures(bit: 16)
    static let controlQueue = VirtioFeatures(bit: 17)
    static let announcement = VirtioFeatures(bit: 21)
    static let multipleQueues = VirtioFeatures(bit: 22)
}

extension NetConfiguration {
    /// What the device offers.
    var features: VirtioFeatures {
        var features: VirtioFeatures = [
            NetFeature.address, NetFeature.status, NetFeature.controlQueue,
            NetFeature.announcement,
        ]
        if maximumTransmissionUnit != nil { features.insert(NetFeature.maximumTransmissionUnit) }
        if queuePairs > 1 { features.insert(NetFeature.multipleQueues) }
        if offloadsChecksums {
            features.formUnion([NetFeature.checksum, NetFeature.guestChecksum])
            // Segments need their checksums computed anyway.
            if offloadsSegmentation {
                features.formUnion([
                    NetFeature.guestSegmentation4, NetFeature.guestSegmentation6,
                    NetFeature.guestCongestionNotification, NetFeature.hostSegmentation4,
                    NetFeature.hostSegmentation6, NetFeature.hostCongestionNotification,
                ])
            }
        }
        return features
    }
}

extension VirtioFeatures {
    /// What the host's kernel may leave to a driver that has agreed to these features.
    var tapOffloads: Tap.Offloads {
        guard contains(NetFeature.guestChecksum) else { return [] }
        var offloads: Tap.Offloads = .checksum
        if contains(NetFeature.guestSegmentation4) { offloads.insert(.segmentation4) }
        if contains(NetFeature.guestSegmentation6) { offloads.insert(.segmentation6) }
        if contains(NetFeature.guestCongestionNotification), offloads != .checksum {
            offloads.insert(.congestionNotification)
        }
        return offloads
    }
}
