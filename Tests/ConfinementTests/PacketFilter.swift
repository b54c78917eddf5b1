@testable import Confinement

/// Runs a classic packet filter program as the kernel does, as far as seccomp programs use it.
/// Sources: Documentation/networking/filter.rst, and seccomp(2) for the data it looks at.
struct PacketFilter {
    let program: FilterProgram

    /// What the program returns for a system call of x86-64.
    func outcome(of number: Int32, _ arguments: [UInt64] = []) -> UInt32? {
        // struct seccomp_data: number, architecture, instruction pointer, six arguments.
        var words: [UInt32] = [UInt32(bitPattern: number), 0xc000_003e, 0, 0]
        for index in 0..<6 {
            let value = index < arguments.count ? arguments[index] : 0
            words += [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
        }
        var accumulator: UInt32 = 0
        var position = 0
        while position < program.instructions.count {
            let bits = program.instructions[position]
            let operand = UInt32(truncatingIfNeeded: bits >> 32)
            let (whenTrue, whenFalse) = (Int(bits >> 16 & 0xff), Int(bits >> 24 & 0xff))
            position += 1
            switch bits & 0xffff {
            case 0x20: accumulator = words[Int(operand) / 4]
            case 0x54: accumulator &= operand
            case 0x05: position += Int(operand)
            case 0x15: position += accumulator == operand ? whenTrue : whenFalse
            case 0x25: position += accumulator > operand ? whenTrue : whenFalse
            case 0x35: position += accumulator >= operand ? whenTrue : whenFalse
            case 0x45: position += accumulator & operand != 0 ? whenTrue : whenFalse
            case 0x06: return operand
            default: return nil
            }
        }
        return nil
    }
}
