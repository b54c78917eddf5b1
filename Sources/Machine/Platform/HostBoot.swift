import LinuxSystem

/// The identity of this host until it is booted anew: time stamp counters go on within one.
enum HostBoot {
    /// 36 characters and the end of the line.
    static func identity() throws(SystemError) -> String {
        let file = try OwnedDescriptor(opening: "/proc/sys/kernel/random/boot_id")
        return String(decoding: try file.read(maximum: 64), as: UTF8.self)
    }
}
