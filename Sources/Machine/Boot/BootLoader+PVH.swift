import GuestMemory

/// Loading an ELF file with a PVH entry.
///
/// Source: Xen, `docs/misc/pvh.pandoc` (the entry's registers) and
/// `xen/include/public/arch-x86/hvm/start_info.h` (the structures).
extension BootLoader {
    func loadPVH(
        _ file: borrowing BootFile, head: [UInt8], _ configuration: BootConfiguration
    ) throws(BootError) -> BootEntry {
        let kernel = try parseELF(file, head: head)
        let entry = try findPVHEntry(of: kernel, in: file)
        var end = BootLayout.end
        for segment in kernel.segments {
            end = max(end, try load(segment, of: file).end.rawValue)
        }
        var initramfs: GuestRange?
        if let path = configuration.initramfs {
            initramfs = try loadInitramfs(path, kernelEnd: end, limit: lowMemoryEnd)
        }
        try writeCommandLine(configuration.commandLine, limit: .max)
        try writeStartInfo(initramfs: initramfs)
        return .pvh(entry: entry, startInfo: UInt32(BootLayout.startInfo))
    }

    private func parseELF(
        _ file: borrowing BootFile, head: [UInt8]
    ) throws(BootError) -> ELFKernel {
        let table = try parse(file) { () throws(KernelFault) in
            try ELFKernel.HeaderTable(fileHeader: head)
        }
        let length = table.entrySize * table.count
        try file.checkExtent(offset: table.fileOffset, length: UInt64(length))
        let headers = try file.head(limit: length, at: table.fileOffset)
        return try parse(file) { () throws(KernelFault) in
            try ELFKernel(programHeaders: headers, table: table)
        }
    }

    private func findPVHEntry(
        of kernel: ELFKernel, in file: borrowing BootFile
    ) throws(BootError) -> UInt32 {
        for table in kernel.notes {
            let length = min(table.size, UInt64(PVHNote.tableLimit))
            try file.checkExtent(offset: table.fileOffset, length: length)
            let bytes = try file.head(limit: Int(length), at: table.fileOffset)
            if let entry = PVHNote.entry(inNotes: bytes, alignment: table.alignment) {
                return entry
            }
        }
        throw .notAKernel(file: file.name, reason: .noPVHEntry)
    }

    private func load(
        _ segment: ELFKernel.Segment, of file: borrowing BootFile
    ) throws(BootError) -> GuestRange {
        let range = try loadableRange(
            of: file, start: segment.address, length: segment.memorySize)
        // The rest of the segment is to be zero, as fresh memory is.
        if let filled = GuestRange(start: range.start, length: segment.fileSize) {
            try file.load(offset: segment.fileOffset, to: filled, of: memory)
        }
        return range
    }

    private func writeStartInfo(initramfs: GuestRange?) throws(BootError) {
        let map = memoryMap(of: memory.layouts)
        var info = ByteWriter(count: 56)
        info.put(UInt32(0x336e_c578), at: 0)  // "xEn3"
        info.put(UInt32(1), at: 4)  // version 1 has the memory map
        if let initramfs {
            var module = ByteWriter(count: 32)
            module.put(initramfs.start.rawValue, at: 0)
            module.put(initramfs.length, at: 8)
            try write(module.bytes, at: BootLayout.moduleList)
            info.put(UInt32(1), at: 12)
            info.put(BootLayout.moduleList, at: 16)
        }
        info.put(BootLayout.commandLine, at: 24)
        info.put(FirmwareTables.rootPointer, at: 32)
        info.put(BootLayout.memoryMap, at: 40)
        info.put(UInt32(map.count), at: 48)
        try write(info.bytes, at: BootLayout.startInfo)

        var table = ByteWriter(count: 24 * map.count)
        for (index, entry) in map.enumerated() {
            table.put(entry.start, at: 24 * index)
            table.put(entry.length, at: 24 * index + 8)
            table.put(entry.kind.rawValue, at: 24 * index + 16)
        }
        try write(table.bytes, at: BootLayout.memoryMap)
    }
}
