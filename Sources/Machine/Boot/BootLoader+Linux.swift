import GuestMemory

/// Loading a bzImage for its 64-bit entry.
///
/// Source: Linux `Documentation/arch/x86/boot.rst` and `zero-page.rst`.
extension BootLoader {
    func loadLinux(
        _ file: borrowing BootFile, head: [UInt8], _ configuration: BootConfiguration
    ) throws(BootError) -> BootEntry {
        let header = try parse(file) { () throws(KernelFault) in
            try LinuxSetupHeader(head: head)
        }
        try file.checkExtent(offset: header.kernelOffset, length: 1)
        let fileLength = file.size - header.kernelOffset
        // Loaded where it wants to be, the kernel needs `initialSize` from there and no more.
        let range = try loadableRange(
            of: file, start: header.preferredAddress,
            length: max(fileLength, header.initialSize))
        if let image = GuestRange(start: range.start, length: fileLength) {
            try file.load(offset: header.kernelOffset, to: image, of: memory)
        }
        var initramfs: GuestRange?
        if let path = configuration.initramfs {
            initramfs = try loadInitramfs(
                path, kernelEnd: range.end.rawValue, limit: header.initramfsAddressLimit + 1)
        }
        try writeCommandLine(
            configuration.commandLine, limit: Int(clamping: header.commandLineLimit))
        try writeBootParameters(header, initramfs: initramfs)
        try write(FlatSegments.descriptorTable, at: BootLayout.descriptorTable)
        try writePageTables()
        return .linux64(
            entry: header.preferredAddress + 0x200, bootParameters: BootLayout.bootParameters)
    }

    private func writeBootParameters(
        _ header: LinuxSetupHeader, initramfs: GuestRange?
    ) throws(BootError) {
        var page = ByteWriter(count: 4096)
        page.put(header.bytes, at: LinuxSetupHeader.offset)
        page.put(FirmwareTables.rootPointer, at: 0x70)  // acpi_rsdp_addr
        page.put(UInt8(0xff), at: 0x210)  // a loader without a number
        page.put(UInt32(BootLayout.commandLine), at: 0x228)
        if let initramfs {
            // Both fit 32 bits: it lies below the address limit, which is such a field.
            page.put(UInt32(truncatingIfNeeded: initramfs.start.rawValue), at: 0x218)
            page.put(UInt32(truncatingIfNeeded: initramfs.length), at: 0x21c)
        }
        let map = memoryMap(of: memory.layouts)
        page.put(UInt8(map.count), at: 0x1e8)
        for (index, entry) in map.enumerated() {
            page.put(entry.start, at: 0x2d0 + 20 * index)
            page.put(entry.length, at: 0x2d8 + 20 * index)
            page.put(entry.kind.rawValue, at: 0x2e0 + 20 * index)
        }
        try write(page.bytes, at: BootLayout.bootParameters)
    }

    /// Maps the first 4 GiB to themselves in pages of 2 MiB: kernel, initramfs, command line and
    /// `boot_params` all lie there.
    private func writePageTables() throws(BootError) {
        let present: UInt64 = 0b11  // present, writable
        let largePage: UInt64 = 1 << 7
        let pageSize: UInt64 = 4096
        let root = BootLayout.pageTables
        var tables = ByteWriter(count: 6 * Int(pageSize))
        tables.put(root + pageSize | present, at: 0)
        for gibibyte in 0..<4 {
            let directory = root + UInt64(2 + gibibyte) * pageSize
            tables.put(directory | present, at: Int(pageSize) + 8 * gibibyte)
        }
        for index in 0..<(4 * 512) {
            let address = UInt64(index) << 21
            tables.put(address | present | largePage, at: 2 * Int(pageSize) + 8 * index)
        }
        try write(tables.bytes, at: root)
    }
}
