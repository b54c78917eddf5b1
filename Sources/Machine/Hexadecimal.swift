/// A number as people write addresses and registers: "0x3f8".
func hexadecimal(_ value: some FixedWidthInteger) -> String {
    "0x" + String(value, radix: 16)
}
