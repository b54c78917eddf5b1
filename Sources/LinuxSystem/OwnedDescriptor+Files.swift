internal import CLinux
import Glibc

/// How a file is opened.
public struct OpenOptions: OptionSet, Sendable {
    /// Bits of this type's own; not those of `open`.
    public let rawValue: UInt8

    /// Bits of this type's own.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The file is written as well as read.
    public static let write = OpenOptions(rawValue: 1)
    /// Past the page cache; offsets, lengths and addresses are multiples of the block size.
    public static let direct = OpenOptions(rawValue: 2)
    /// Made with mode 0600 if it does not exist.
    public static let create = OpenOptions(rawValue: 4)
    /// Emptied if it exists.
    public static let truncate = OpenOptions(rawValue: 8)
    /// Every write goes to the end.
    public static let append = OpenOptions(rawValue: 16)
    /// Reads and writes do not wait.
    public static let nonblocking = OpenOptions(rawValue: 32)

    fileprivate var flags: Int32 {
        var flags = contains(.write) ? O_RDWR : O_RDONLY
        if contains(.direct) { flags |= CLINUX_O_DIRECT }
        if contains(.create) { flags |= O_CREAT }
        if contains(.truncate) { flags |= O_TRUNC }
        if contains(.append) { flags |= O_APPEND }
        if contains(.nonblocking) { flags |= O_NONBLOCK }
        return flags | O_CLOEXEC
    }
}

extension OwnedDescriptor {
    /// Opens a file or device by its path, which becomes the name in errors.
    public init(
        opening path: String, _ options: OpenOptions = [], advice: String? = nil
    ) throws(SystemError) {
        // SAFETY: the path is a terminated string for the length of the call.
        let number = retrying { unsafe open(path, options.flags, 0o600) }
        guard number >= 0 else {
            throw SystemError("open", path, Errno(rawValue: -number), advice: advice)
        }
        self.init(owning: number, name: path)
    }

    /// The size of a regular file in bytes.
    /// - Throws: `.notSupported` for anything that is not a regular file.
    public var regularFileSize: Int {
        get throws(SystemError) {
            let information = try information
            guard information.st_mode & S_IFMT == S_IFREG else {
                throw SystemError("use as a file", name, .notSupported)
            }
            return information.st_size
        }
    }

    /// The size of a regular file or block device in bytes.
    public var storageSize: Int {
        get throws(SystemError) {
            let information = try information
            if information.st_mode & S_IFMT == S_IFREG { return information.st_size }
            guard information.st_mode & S_IFMT == S_IFBLK else {
                throw SystemError(
                    "use as a disk", name, .notSupported,
                    advice: "a disk is a regular file or a block device")
            }
            let end = try check(
                retrying { lseek(rawValue, 0, SEEK_END) }, "find the size of", name)
            return end
        }
    }

    /// Whether this is a block device.
    public var isBlockDevice: Bool {
        get throws(SystemError) { try information.st_mode & S_IFMT == S_IFBLK }
    }

    /// The unit in which a file with direct access is read and written, in bytes.
    public var blockSize: Int {
        get throws(SystemError) { Int(try information.st_blksize) }
    }

    /// What the file is, on this host: two descriptors with equal identities are the same file.
    public var identity: FileIdentity {
        get throws(SystemError) {
            let information = try information
            return FileIdentity(device: information.st_dev, inode: information.st_ino)
        }
    }

    /// Waits until written data, and the size where it matters for them, are on stable storage.
    public func synchronizeData() throws(SystemError) {
        _ = try check(retrying { fdatasync(rawValue) }, "flush", name)
    }

    /// Sets the size of a file in bytes.
    public func truncate(to size: Int) throws(SystemError) {
        _ = try check(retrying { ftruncate(rawValue, size) }, "set the size of", name)
    }

    /// Puts a file in the place of another one of the same file system, at once.
    public static func rename(_ path: String, to place: String) throws(SystemError) {
        // SAFETY: the paths are terminated strings for the length of the call.
        _ = try check(retrying { unsafe Glibc.rename(path, place) }, "rename to \(place)", path)
    }

    private var information: stat {
        get throws(SystemError) {
            var information = stat()
            // SAFETY: the kernel fills the local.
            _ = try check(retrying { unsafe fstat(rawValue, &information) }, "query", name)
            return information
        }
    }
}

/// What makes a file the same file: the device it is on and its number there.
public struct FileIdentity: Hashable, Sendable {
    /// The device's number.
    public let device: UInt
    /// The file's number on the device.
    public let inode: UInt
}
