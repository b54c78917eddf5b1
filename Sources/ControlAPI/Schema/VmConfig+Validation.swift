extension VmConfig {
    /// Most vCPUs a guest can have: APIC identifiers are 8 bits, and 255 means all of them.
    public static let maximumVcpus: UInt32 = 254
    /// Most bytes of RAM: half of what 46 bits of physical address reach, so that the windows of
    /// the devices fit above it.
    public static let maximumMemory: UInt64 = 1 << 45
    /// Bits of physical address that a guest can be limited to: from those of the first 64-bit
    /// processors to the most that the architecture has.
    public static let addressBits: ClosedRange<UInt8> = 36...52

    /// Checks what the types alone do not say, such as ranges and names that collide. Files and
    /// taps are not looked at: whether they can be opened shows when the guest is booted.
    /// - Throws: The first thing that is wrong, by the path of its field.
    public func validate() throws(SchemaError) {
        try validatePayload()
        try validateProcessors()
        try validateMemory()
        for (index, disk) in disks.enumerated() {
            try disk.validate(at: "disks[\(index)]", vcpus: cpus.bootVcpus)
        }
        for (index, device) in net.enumerated() {
            try device.validate(at: "net[\(index)]", vcpus: cpus.bootVcpus)
        }
        try Check.path(rng.source, at: "rng.src")
        try validateConsoles()
        try validateIdentifiers()
        try validateSlots()
    }

    private func validatePayload() throws(SchemaError) {
        guard let kernel = payload?.kernel else { throw .missing(path: "payload.kernel") }
        try Check.path(kernel, at: "payload.kernel")
        if let initramfs = payload?.initramfs {
            try Check.path(initramfs, at: "payload.initramfs")
        }
        try Check.text(payload?.cmdline ?? "", at: "payload.cmdline")
    }

    private func validateProcessors() throws(SchemaError) {
        guard (1...Self.maximumVcpus).contains(cpus.bootVcpus) else {
            throw .invalid(
                path: "cpus.boot_vcpus",
                reason: "must be from 1 to \(Self.maximumVcpus), not \(cpus.bootVcpus)")
        }
        guard Self.addressBits.contains(cpus.maxPhysBits) else {
            throw .invalid(
                path: "cpus.max_phys_bits",
                reason: "must be from \(Self.addressBits.lowerBound) to "
                    + "\(Self.addressBits.upperBound), not \(cpus.maxPhysBits)")
        }
        guard cpus.maxVcpus == cpus.bootVcpus else {
            throw .invalid(
                path: "cpus.max_vcpus",
                reason: "must equal boot_vcpus (\(cpus.bootVcpus)), not be \(cpus.maxVcpus): "
                    + "adding vCPUs is not supported by Martlet yet")
        }
    }

    private func validateMemory() throws(SchemaError) {
        let page: UInt64 = memory.hugepages ? memory.hugepageSize ?? 2 << 20 : 4096
        guard memory.size > 0, memory.size.isMultiple(of: page) else {
            throw .invalid(
                path: "memory.size",
                reason: "must be a multiple of the page size (\(page) bytes), not \(memory.size)")
        }
        guard memory.size <= Self.maximumMemory else {
            throw .invalid(
                path: "memory.size",
                reason: "must be at most \(Self.maximumMemory) bytes, not \(memory.size)")
        }
        guard memory.hugepages || memory.hugepageSize == nil else {
            throw .invalid(path: "memory.hugepage_size", reason: "needs memory.hugepages")
        }
    }

    private func validateConsoles() throws(SchemaError) {
        try Check.console(serial.mode, file: serial.file, socket: serial.socket, at: "serial")
        try Check.console(console.mode, file: console.file, socket: console.socket, at: "console")
        if let socket = serial.socket, socket == console.socket {
            throw .invalid(path: "console.socket", reason: "must not be that of serial")
        }
        if serial.mode == .tty && console.mode == .tty {
            throw .invalid(
                path: "console.mode",
                reason: "cannot be Tty when serial.mode is: there is one terminal; set one to Off")
        }
    }
}

extension DiskConfig {
    fileprivate func validate(at field: String, vcpus: UInt32) throws(SchemaError) {
        guard let path else { throw .missing(path: "\(field).path") }
        try Check.path(path, at: "\(field).path")
        guard (1...vcpus).contains(UInt32(numQueues)) else {
            throw .invalid(
                path: "\(field).num_queues",
                reason: "must be from 1 to the number of vCPUs (\(vcpus)), not \(numQueues)")
        }
        try Check.queueSize(queueSize, at: "\(field).queue_size")
        // The identifier of a virtio block device has 20 bytes.
        guard (serial ?? "").utf8.count <= 20 else {
            throw .invalid(path: "\(field).serial", reason: "is longer than 20 bytes")
        }
        try Check.text(serial ?? "", at: "\(field).serial")
    }
}

extension NetConfig {
    fileprivate func validate(at field: String, vcpus: UInt32) throws(SchemaError) {
        if let tap {
            // IFNAMSIZ is 16 with the byte that ends the name.
            guard (1...15).contains(tap.utf8.count), !tap.contains("/"), !tap.contains("\0") else {
                throw .invalid(
                    path: "\(field).tap", reason: "must be a name of 1 to 15 bytes, not '\(tap)'")
            }
        }
        if let mac, !Check.isUnicastMAC(mac) {
            throw .invalid(
                path: "\(field).mac",
                reason: "must be a unicast address such as 02:00:00:00:00:01, not '\(mac)'")
        }
        if let hostMAC, !Check.isUnicastMAC(hostMAC) {
            throw .invalid(
                path: "\(field).host_mac",
                reason: "must be a unicast address such as 02:00:00:00:00:01, not '\(hostMAC)'")
        }
        guard ip == nil || hostAddress != nil else {
            throw .invalid(
                path: mask.flatMap(IPv4.prefixLength) != nil || mask == nil
                    ? "\(field).ip" : "\(field).mask",
                reason: "must be an IPv4 address and a mask such as 192.168.0.1 and "
                    + "255.255.255.0, not '\(ip ?? "")' and '\(mask ?? "")'")
        }
        guard mask == nil || ip != nil else {
            throw .invalid(path: "\(field).mask", reason: "needs \(field).ip")
        }
        // The least MTU of IPv6.
        if let mtu, mtu < 1280 {
            throw .invalid(path: "\(field).mtu", reason: "must be at least 1280, not \(mtu)")
        }
        guard numQueues >= 2, numQueues.isMultiple(of: 2), UInt32(numQueues) <= vcpus * 2 else {
            throw .invalid(
                path: "\(field).num_queues",
                reason: "must be an even number from 2 to twice the number of vCPUs "
                    + "(\(vcpus * 2)), not \(numQueues)")
        }
        try Check.queueSize(queueSize, at: "\(field).queue_size")
    }
}
