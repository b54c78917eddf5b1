import GuestMemory

/// Puts a kernel, its initramfs, its command line and the ACPI tables into fresh guest memory, in
/// which everything else is zero.
struct BootLoader {
    let memory: GuestRAM

    /// What the ACPI tables tell the guest of.
    let processorCount: Int

    /// Loads what `configuration` names, with the ACPI tables, and says where the first processor
    /// starts.
    func load(_ configuration: BootConfiguration) throws(BootError) -> BootEntry {
        let entry = try loadKernel(configuration)
        let tables = FirmwareTables(
            processorCount: processorCount, memorySize: memory.byteCount)
        try write(try tables.image(), at: FirmwareTables.rootPointer)
        try write(RealModeReset.code, at: RealModeReset.address)
        return entry
    }

    private func loadKernel(_ configuration: BootConfiguration) throws(BootError) -> BootEntry {
        let kernel = try BootFile(path: configuration.kernel)
        let head = try kernel.head(limit: LinuxSetupHeader.headSize)
        if head.starts(with: ELFKernel.magic) {
            return try loadPVH(kernel, head: head, configuration)
        }
        if LinuxSetupHeader.isPresent(in: head) {
            return try loadLinux(kernel, head: head, configuration)
        }
        throw .notAKernel(file: kernel.name, reason: .unknownFormat)
    }

    /// The region that starts at address 0.
    var lowMemoryEnd: UInt64 { memory.regions.first?.range.end.rawValue ?? 0 }

    func write(_ bytes: [UInt8], at address: UInt64) throws(BootError) {
        try bootMemory { () throws(GuestMemoryError) in
            try memory.write(bytes, at: GuestAddress(address))
        }
    }

    /// Writes the command line with its end.
    ///
    /// - Parameter limit: bytes that the kernel takes, without the end.
    func writeCommandLine(_ text: String, limit: Int) throws(BootError) {
        let bytes = Array(text.utf8)
        let limit = min(limit, Int(BootLayout.commandLineCapacity) - 1)
        guard bytes.count <= limit else {
            throw .commandLineTooLong(length: bytes.count, limit: limit)
        }
        guard !bytes.contains(0) else { throw .commandLineHasNull }
        try write(bytes + [0], at: BootLayout.commandLine)
    }

    /// Loads the initramfs as high as it can lie, away from the kernel, which may grow at its
    /// start.
    ///
    /// - Parameters:
    ///   - kernelEnd: where the kernel's memory ends.
    ///   - limit: where the initramfs must end at the latest.
    func loadInitramfs(
        _ path: String, kernelEnd: UInt64, limit: UInt64
    ) throws(BootError) -> GuestRange {
        let file = try BootFile(path: path)
        let end = min(limit, lowMemoryEnd)
        let start = (end - min(end, file.size)) / trackedPageSize * trackedPageSize
        guard file.size <= end, start >= max(kernelEnd, BootLayout.highStart),
            let range = GuestRange(start: GuestAddress(start), length: file.size)
        else {
            throw .initramfsDoesNotFit(
                file: path, size: file.size, available: end - min(end, kernelEnd))
        }
        try file.load(offset: 0, to: range, of: memory)
        return range
    }

    /// The guest addresses of a part of a kernel, if they can be loaded.
    func loadableRange(
        of file: borrowing BootFile, start: UInt64, length: UInt64
    ) throws(BootError) -> GuestRange {
        guard start >= BootLayout.end,
            let range = GuestRange(start: GuestAddress(start), length: length),
            memory.regionIndex(holding: range) != nil,
            !PhysicalLayout.firmwareTables.overlaps(start..<range.end.rawValue)
        else {
            throw .segmentOutsideMemory(
                file: file.name, start: start, length: length, memory: lowMemoryEnd)
        }
        return range
    }

    /// Names the file in an error of reading its headers.
    func parse<Value>(
        _ file: borrowing BootFile, _ body: () throws(KernelFault) -> Value
    ) throws(BootError) -> Value {
        do throws(KernelFault) {
            return try body()
        } catch {
            throw .notAKernel(file: file.name, reason: error)
        }
    }
}
