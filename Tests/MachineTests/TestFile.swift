import LinuxSystem

/// A file in memory which can be opened by its path as long as this object lives.
final class TestFile {
    private let file: MemoryFile

    init(_ contents: [UInt8]) throws {
        file = try MemoryFile(name: "test", size: contents.count)
        try file.descriptor.writeAll(contents)
    }

    var path: String { "/proc/self/fd/\(file.descriptor.rawValue)" }
}

/// Builds files and programs from little-endian pieces.
struct ByteBuilder {
    var bytes: [UInt8] = []

    mutating func append<Value: FixedWidthInteger>(_ value: Value) {
        for index in 0..<(Value.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index)))
        }
    }

    mutating func append(_ contents: [UInt8]) {
        bytes += contents
    }

    mutating func pad(to count: Int) {
        bytes += [UInt8](repeating: 0, count: max(0, count - bytes.count))
    }

    mutating func set<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        for index in 0..<(Value.bitWidth / 8) {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
        }
    }
}

/// A PVH kernel as an ELF file with one segment.
func elfKernel(
    address: UInt64 = 0x10_0000, contents: [UInt8], memorySize: UInt64? = nil,
    entry: UInt32 = 0x10_0000, noteName: String = "Xen", entryBytes: Int = 4
) -> [UInt8] {
    var note = ByteBuilder()
    note.append(UInt32(noteName.utf8.count + 1))
    note.append(UInt32(entryBytes))
    note.append(UInt32(18))
    note.append(Array(noteName.utf8) + [0])
    note.pad(to: (note.bytes.count + 3) / 4 * 4)
    note.append(entry)
    note.pad(to: note.bytes.count + entryBytes - 4)

    let noteOffset = 64 + 2 * 56
    let contentsOffset = noteOffset + note.bytes.count
    var file = ByteBuilder()
    file.append([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
    file.pad(to: 16)
    file.append(UInt16(2))  // executable
    file.append(UInt16(62))  // x86-64
    file.pad(to: 32)
    file.append(UInt64(64))  // program headers
    file.pad(to: 54)
    file.append(UInt16(56))
    file.append(UInt16(2))
    file.pad(to: 64)
    for (type, offset, size, memory) in [
        (UInt32(4), noteOffset, note.bytes.count, UInt64(note.bytes.count)),
        (1, contentsOffset, contents.count, memorySize ?? UInt64(contents.count)),
    ] {
        file.append(type)
        file.append(UInt32(7))
        file.append(UInt64(offset))
        file.append(address | 0xffff_ffff_8000_0000)  // virtual: not looked at
        file.append(type == 1 ? address : 0)
        file.append(UInt64(size))
        file.append(memory)
        file.append(UInt64(4))
    }
    file.append(note.bytes)
    file.append(contents)
    return file.bytes
}

/// A bzImage whose protected-mode part is `contents`, which wants to be at 16 MiB.
func bzImage(
    contents: [UInt8], version: UInt16 = 0x020f, loadFlags: UInt16 = 1,
    initialSize: UInt32 = 0x10_0000, commandLineLimit: UInt32 = 2047,
    initramfsLimit: UInt32 = 0x7fff_ffff
) -> [UInt8] {
    var file = ByteBuilder()
    file.pad(to: 5 * 512)
    file.set(UInt8(4), at: 0x1f1)
    file.set(UInt16(0xaa55), at: 0x1fe)
    file.set(UInt8(0xeb), at: 0x200)
    file.set(UInt8(0x268 - 0x202), at: 0x201)
    file.set(UInt32(0x5372_6448), at: 0x202)
    file.set(version, at: 0x206)
    file.set(initramfsLimit, at: 0x22c)
    file.set(UInt32(0x20_0000), at: 0x230)
    file.set(UInt8(1), at: 0x234)
    file.set(loadFlags, at: 0x236)
    file.set(commandLineLimit, at: 0x238)
    file.set(UInt64(0x100_0000), at: 0x258)
    file.set(initialSize, at: 0x260)
    file.append(contents)
    return file.bytes
}
