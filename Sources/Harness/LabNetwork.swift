public import LinuxSystem

/// A network of its own for one lab: a network namespace with its loopback and a tap whose host
/// side has an address, so that nothing of it is seen outside and all of it goes with the last
/// process in it.
public struct LabNetwork: ~Copyable, Sendable {
    /// The tap's name, for `--net tap=...`. It is persistent within the namespace, so that VMMs can
    /// take it one after the other.
    public static let tapName = "martlet0"
    /// The address of the host's side of the tap.
    public static let hostAddress: [4 of UInt8] = [192, 168, 77, 1]
    /// The address that the guest is told to use.
    public static let guestAddress = "192.168.77.2"
    /// Bits of the network's prefix.
    public static let prefixLength = 24

    private let namespace: NetworkNamespace

    /// Makes the network and moves the calling thread into it, and with it every thread and
    /// process that it starts afterwards.
    ///
    /// - Throws: when the user may not make network namespaces or taps.
    public static func enterNew() throws(SystemError) -> LabNetwork {
        let namespace = try NetworkNamespace.enterNew()
        try NetworkInterface(name: "lo").bringUp()
        let tap = try Tap(name: tapName)
        try tap.setPersistent(true)
        try tap.interface.setAddress(hostAddress, prefixLength: prefixLength)
        try tap.interface.bringUp()
        return LabNetwork(namespace: namespace)
    }

    /// Moves the calling thread into the network.
    public func enter() throws(SystemError) {
        try namespace.enter()
    }
}
