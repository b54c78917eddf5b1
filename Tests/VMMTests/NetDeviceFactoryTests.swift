import ControlAPI
import Testing

@testable import VMM
@testable import Virtio

@Suite struct NetDeviceFactoryTests {
    @Test func allOptionsReachTheDevice() throws {
        var net = NetConfig()
        net.id = "lan"
        net.slot = 7
        net.tap = "tap7"
        net.mac = "02:00:00:00:00:07"
        net.ip = "192.0.2.129"
        net.mask = "255.255.255.128"
        net.hostMAC = "02:00:00:00:00:08"
        net.mtu = 9000
        net.numQueues = 4
        net.queueSize = 512
        net.offloadUFO = false
        let device = try #require(try DeviceFactory.makeNet(net).device as? NetDevice)
        let address = try #require(EthernetAddress("02:00:00:00:00:07"))
        #expect(
            device.configuration
                == NetConfiguration(
                    identifier: "lan", tap: "tap7", address: address,
                    maximumTransmissionUnit: 9000,
                    hostAddress: .init(bytes: [192, 0, 2, 129], prefixLength: 25),
                    hostEthernetAddress: EthernetAddress("02:00:00:00:00:08"), queuePairs: 2,
                    queueSize: 512, offloadsDatagrams: false))
        net.offloadTSO = false
        net.offloadChecksum = false
        let plain = try #require(try DeviceFactory.makeNet(net).device as? NetDevice)
        #expect(!plain.configuration.offloadsSegmentation && !plain.configuration.offloadsChecksums)
    }
}
