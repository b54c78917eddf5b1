/// The flat segments of a kernel that starts in long mode, where Linux wants them: code 0x10,
/// data 0x18.
///
/// Source: Linux `Documentation/arch/x86/boot.rst`, 64-bit boot protocol; Intel SDM volume 3,
/// 3.4.5 for the bits.
enum FlatSegments {
    static let codeSelector: UInt16 = 0x10
    static let dataSelector: UInt16 = 0x18

    /// The table as it stands in memory: two empty entries, 64-bit code, data.
    static let descriptorTable: [UInt8] = {
        var table = ByteWriter(count: 32)
        table.put(UInt64(0x00af_9b00_0000_ffff), at: 16)
        table.put(UInt64(0x00cf_9300_0000_ffff), at: 24)
        return table.bytes
    }()
}
