public import LinuxSystem

/// Why something behind a device cannot be used.
public enum DeviceError: Error, Equatable, Sendable {
    /// The kernel refused.
    case system(device: String, SystemError)
    /// The image of a disk cannot be opened for writing.
    case imageReadOnly(device: String, path: String, SystemError)
    /// What shall be the image of a disk is a directory or another thing without contents.
    case notAnImage(device: String, path: String)
    /// The file system of the image has no direct access.
    case directUnavailable(device: String, path: String)
    /// The image of a disk is empty, or ends within a block.
    case imageNotWhole(device: String, path: String, bytes: UInt64, blockSize: UInt64)
    /// Another process uses the image of a disk.
    case imageLocked(device: String, path: String, SystemError)
    /// A disk cannot be given a size.
    case diskSize(device: String, bytes: UInt64, reason: String)
    /// The image has another size than the guest has seen.
    case imageSize(device: String, path: String, expected: UInt64, actual: UInt64)
    /// The image needs larger blocks than the guest has been told.
    case blockSize(device: String, path: String, expected: Int, actual: Int)
    /// The state of a backend, which came with Takeover, cannot be read.
    case backendState(device: String, reason: String)
    /// The device has nothing bound where it must have.
    case unbound(device: String)
}

extension DeviceError: CustomStringConvertible {
    /// One sentence: the device, the object, the reason, what can be done.
    public var description: String {
        switch self {
        case .system(let device, let cause):
            "\(device): \(cause)"
        case .imageReadOnly(let device, let path, let cause):
            "\(device): Cannot open \(path) for writing: \(cause.errno); "
                + "make it writable or add readonly=on"
        case .notAnImage(let device, let path):
            "\(device): \(path) is no disk image; name a regular file or a block device"
        case .directUnavailable(let device, let path):
            "\(device): The file system of \(path) has no direct access; use direct=off"
        case .imageNotWhole(let device, let path, 0, _):
            "\(device): \(path) is empty; give it the size of the disk (truncate -s SIZE \(path))"
        case .imageNotWhole(let device, let path, let bytes, let blockSize):
            "\(device): \(path) has \(bytes) bytes, which is no multiple of \(blockSize); make it "
                + "larger (truncate -s %\(blockSize) \(path))"
                + (blockSize > sectorSize ? " or use direct=off" : "")
        case .imageLocked(let device, let path, let cause):
            "\(device): \(path) is in use by another VMM or program: \(cause.advice ?? cause.errno.description); stop who "
                + "uses it, or open it with readonly=on everywhere"
        case .diskSize(let device, let bytes, let reason):
            "\(device): The disk cannot have \(bytes) bytes: \(reason)"
        case .imageSize(let device, let path, let expected, let actual):
            "\(device): \(path) has \(actual) bytes, the guest's disk has \(expected); "
                + "use the image that the source uses"
        case .blockSize(let device, let path, let expected, let actual):
            "\(device): \(path) needs blocks of \(actual) bytes for direct access, the guest's "
                + "disk has blocks of \(expected); use direct=off"
        case .backendState(let device, let reason):
            "\(device): The state of its backend cannot be used: \(reason)"
        case .unbound(let device):
            "\(device): It has no backend yet"
        }
    }
}
