public import GuestMemory
public import LinuxSystem

/// Why a guest cannot be booted. Each case names the file, or the command line, that is at fault.
public enum BootError: Error, Equatable, Sendable {
    /// The file cannot be opened or read.
    case file(SystemError)

    /// The file is neither an ELF file with a PVH entry nor a bzImage.
    case notAKernel(file: String, reason: KernelFault)

    /// The file ends before what its headers promise.
    case truncated(file: String, needed: UInt64, actual: UInt64)

    /// A part of the kernel does not lie in RAM, or lies where the loader puts its own data.
    case segmentOutsideMemory(file: String, start: UInt64, length: UInt64, memory: UInt64)

    /// The initramfs has no room between the kernel and the end of RAM below 3 GiB.
    case initramfsDoesNotFit(file: String, size: UInt64, available: UInt64)

    /// The command line is longer than the kernel takes, in bytes.
    case commandLineTooLong(length: Int, limit: Int)

    /// The command line contains a byte 0, which would end it.
    case commandLineHasNull

    /// The ACPI tables need more than is reserved for them, in bytes.
    case tablesDoNotFit(size: Int, available: Int)

    /// Guest memory refused an access; the loader's own data does not fit a tiny guest.
    case memory(GuestMemoryError)
}

/// What keeps a file from being a kernel that can be booted.
public enum KernelFault: String, Error, Hashable, Sendable {
    /// Neither magic number is there.
    case unknownFormat = "it is neither an ELF file nor a bzImage"
    /// ELF, but not for x86, or not little-endian.
    case foreignELF = "it is an ELF file for another kind of processor"
    /// ELF headers that contradict themselves.
    case malformedELF = "its ELF headers are damaged"
    /// No PT_LOAD segment with contents.
    case emptyELF = "it has nothing to load"
    /// ELF for x86 without XEN_ELFNOTE_PHYS32_ENTRY.
    case noPVHEntry = "it has no PVH entry note; build it with CONFIG_PVH"
    /// A bzImage of a boot protocol before 2.12.
    case oldProtocol = "its boot protocol is older than 2.12"
    /// A bzImage without the 64-bit entry.
    case no64BitEntry = "it has no 64-bit entry point"
    /// A bzImage whose setup header contradicts itself.
    case malformedSetup = "its setup header is damaged"
}

extension BootError: CustomStringConvertible {
    /// One sentence: the file, what is wrong with it, what can be done.
    public var description: String {
        switch self {
        case .file(let cause):
            cause.description
        case .notAKernel(let file, let fault):
            "\(file) cannot be booted: \(fault.rawValue)"
        case .truncated(let file, let needed, let actual):
            "\(file) is cut short: it has \(actual) bytes where its headers promise \(needed)"
        case .segmentOutsideMemory(let file, let start, let length, let memory):
            "\(file) cannot be loaded: its part of \(length) bytes at \(hexadecimal(start)) "
                + "does not fit between \(hexadecimal(BootLayout.end)) and the end of memory at "
                + "\(hexadecimal(memory)), beside the ACPI tables below 1 MiB; give the guest more "
                + "memory"
        case .initramfsDoesNotFit(let file, let size, let available):
            "The initramfs \(file) does not fit: it has \(size) bytes and \(available) are free; "
                + "give the guest more memory"
        case .commandLineTooLong(let length, let limit):
            "The kernel's command line is too long: it has \(length) bytes, the kernel takes "
                + "\(limit)"
        case .commandLineHasNull:
            "The kernel's command line contains a null byte"
        case .tablesDoNotFit(let size, let available):
            "The ACPI tables do not fit: they have \(size) bytes and \(available) are reserved; "
                + "give the guest fewer processors"
        case .memory(let cause):
            "The guest cannot be booted with so little memory: \(cause)"
        }
    }
}
