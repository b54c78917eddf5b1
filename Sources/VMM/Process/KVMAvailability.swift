import KVM
public import LinuxSystem

/// Whether guests can run here.
public enum KVMAvailability {
    /// Opens KVM once and lets go of it.
    ///
    /// - Throws: why it cannot be used, and what to do.
    public static func check() throws(SystemError) {
        _ = try KVMSystem()
    }
}
