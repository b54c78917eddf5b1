internal import LinuxSystem

/// Feature bits of network interfaces (virtio 1.2, section 5.1.3). "Host" is the device here,
/// "guest" the driver.
enum NetFeature {
    static let checksum = VirtioFeatures(bit: 0)
    static let guestChecksum = VirtioFeatures(bit: 1)
    static let guestOffloads = VirtioFeatures(bit: 2)
    static let maximumTransmissionUnit = VirtioFeatures(bit: 3)
    static let address = VirtioFeatures(bit: 5)
    static let guestSegmentation4 = VirtioFeatures(bit: 7)
    static let guestSegmentation6 = VirtioFeatures(bit: 8)
    static let guestCongestionNotification = VirtioFeatures(bit: 9)
    static let guestFragmentation = VirtioFeatures(bit: 10)
    static let hostSegmentation4 = VirtioFeatures(bit: 11)
    static let hostSegmentation6 = VirtioFeatures(bit: 12)
    static let hostCongestionNotification = VirtioFeatures(bit: 13)
    static let hostFragmentation = VirtioFeatures(bit: 14)
    static let mergeableBuffers = VirtioFeatures(bit: 15)
    static let status = VirtioFeatures(bit: 16)
    static let controlQueue = VirtioFeatures(bit: 17)
    static let receiveModes = VirtioFeatures(bit: 18)
    static let vlanFilter = VirtioFeatures(bit: 19)
    static let announcement = VirtioFeatures(bit: 21)
    static let multipleQueues = VirtioFeatures(bit: 22)
    static let settableAddress = VirtioFeatures(bit: 23)
    static let guestDatagramSegmentation4 = VirtioFeatures(bit: 54)
    static let guestDatagramSegmentation6 = VirtioFeatures(bit: 55)
    static let hostDatagramSegmentation = VirtioFeatures(bit: 56)

    /// What a driver may be given in a packet that is larger than a frame.
    static let guestLargePackets: VirtioFeatures = [
        guestSegmentation4, guestSegmentation6, guestFragmentation, guestDatagramSegmentation4,
        guestDatagramSegmentation6,
    ]

    /// What a driver can switch on and off while it runs, by the same bits (section 5.1.6.5.6).
    static let switchable: VirtioFeatures = guestLargePackets.union([
        guestChecksum, guestCongestionNotification,
    ])
}

extension NetConfiguration {
    /// What the device offers.
    ///
    /// - Parameter segmentsDatagrams: whether this host's taps can do that.
    func features(segmentsDatagrams: Bool) -> VirtioFeatures {
        var features: VirtioFeatures = [
            NetFeature.address, NetFeature.status, NetFeature.mergeableBuffers,
            NetFeature.controlQueue, NetFeature.receiveModes, NetFeature.vlanFilter,
            NetFeature.announcement, NetFeature.settableAddress,
        ]
        if maximumTransmissionUnit != nil { features.insert(NetFeature.maximumTransmissionUnit) }
        if queuePairs > 1 { features.insert(NetFeature.multipleQueues) }
        // Packets that are cut later need their checksums computed then.
        guard offloadsChecksums else { return features }
        features.formUnion([
            NetFeature.checksum, NetFeature.guestChecksum, NetFeature.guestOffloads,
        ])
        if offloadsSegmentation {
            features.formUnion([
                NetFeature.guestSegmentation4, NetFeature.guestSegmentation6,
                NetFeature.guestCongestionNotification, NetFeature.hostSegmentation4,
                NetFeature.hostSegmentation6, NetFeature.hostCongestionNotification,
            ])
        }
        if offloadsDatagrams {
            features.formUnion([NetFeature.guestFragmentation, NetFeature.hostFragmentation])
            if segmentsDatagrams {
                features.formUnion([
                    NetFeature.guestDatagramSegmentation4, NetFeature.guestDatagramSegmentation6,
                    NetFeature.hostDatagramSegmentation,
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
        if contains(NetFeature.guestFragmentation) { offloads.insert(.fragmentation) }
        // The kernel has both or none.
        if contains(NetFeature.guestDatagramSegmentation4),
            contains(NetFeature.guestDatagramSegmentation6)
        {
            offloads.insert(.datagramSegmentation)
        }
        return offloads
    }
}
