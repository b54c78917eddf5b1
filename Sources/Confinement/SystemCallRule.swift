/// A system call that a filter lets through, and with which arguments.
struct SystemCallRule: Hashable, Sendable {
    /// The kernel's name of the call.
    let name: String
    /// What its arguments must be; all of these hold. Empty: any arguments.
    var conditions: [Condition] = []
    /// What becomes of the call.
    var outcome = Outcome.allowed

    /// What becomes of a call.
    enum Outcome: Hashable, Sendable {
        /// It is made.
        case allowed
        /// It fails as if the kernel did not know it, so that the C library makes another.
        case missing
    }

    /// A condition for one argument: its bits in `mask` are those of `value`.
    struct Condition: Hashable, Sendable {
        /// Which argument, from 0.
        let argument: UInt32
        let mask: UInt64
        let value: UInt64
    }
}

/// Rules in a row.
typealias Calls = [SystemCallRule]

/// Lists of rules as lines below each other.
@resultBuilder
enum CallList {
    static func buildBlock(_ parts: Calls...) -> Calls { Calls(parts.joined()) }
}

extension Calls {
    /// Calls with whatever arguments.
    static func any(_ names: String...) -> Self {
        names.map { SystemCallRule(name: $0) }
    }

    /// A call where one argument is one of `values`. The kernel reads the arguments that are
    /// compared here (requests, flags, families, numbers) as 32 bits, so only these are looked at:
    /// what a caller leaves in the others has no effect.
    static func only(
        _ name: String, argument: UInt32, _ values: some Sequence<UInt>
    ) -> Self {
        values.map { value in
            SystemCallRule(
                name: name,
                conditions: [
                    .init(argument: argument, mask: 0xffff_ffff, value: UInt64(value))
                ])
        }
    }

    /// A call where one argument is one of `values`.
    static func only(_ name: String, argument: UInt32, _ values: Int32...) -> Self {
        only(name, argument: argument, values.map { UInt(UInt32(bitPattern: $0)) })
    }

    /// A call where one argument has none of `bits`.
    static func without(_ name: String, argument: UInt32, _ bits: Int32) -> Self {
        let mask = UInt64(UInt32(bitPattern: bits))
        return [
            SystemCallRule(
                name: name, conditions: [.init(argument: argument, mask: mask, value: 0)])
        ]
    }

    /// Requests to a descriptor.
    static func requests(_ requests: UInt...) -> Self {
        only("ioctl", argument: 1, requests)
    }

    /// The rules without those that another one makes needless: an equal one, or one for any
    /// arguments.
    var withoutRepetition: Self {
        let unconditional = Set(filter(\.conditions.isEmpty).map(\.name))
        var seen = Set<SystemCallRule>()
        return filter { rule in
            (rule.conditions.isEmpty || !unconditional.contains(rule.name))
                && seen.insert(rule).inserted
        }
    }
}
