internal import CLinux
internal import CSeccomp
import Glibc
import LinuxSystem

/// What becomes of the system calls that a filter does not know.
enum DeniedCalls: Sendable {
    /// The thread gets SIGSYS instead, whose handler reports the call and ends the process.
    case trapped
    /// They wait until the watch (`DeniedCallWatch`) has told of them, and are made then.
    case watched

    /// As libseccomp calls it.
    fileprivate var action: UInt32 {
        switch self {
        case .trapped: CSECCOMP_TRAP
        case .watched: CSECCOMP_NOTIFY
        }
    }

    /// As the kernel calls it.
    var kernelOutcome: UInt32 {
        switch self {
        case .trapped: CLINUX_SECCOMP_TRAP
        case .watched: CLINUX_SECCOMP_NOTIFY
        }
    }
}

/// A filter of system calls as the kernel takes it, made by libseccomp. Made once and used for any
/// number of threads: making one takes longer than starting a thread.
struct FilterProgram: Sendable {
    /// Instructions of the classic packet filter (linux/filter.h).
    let instructions: [UInt64]

    /// A filter that lets these calls through.
    ///
    /// - Parameter name: whom it is for, in errors.
    init(_ rules: [SystemCallRule], denied: DeniedCalls, name: String) throws(SystemError) {
        // SAFETY: nothing is passed but a number.
        guard let filter = unsafe seccomp_init(denied.action) else {
            throw SystemError("make", "the filter \(name)", .notSupported)
        }
        defer { unsafe seccomp_release(filter) }
        let builder = unsafe FilterBuilder(filter: filter, name: name)
        // Calls in the manner of i386 and x32 have other numbers: nobody here makes any.
        try builder.setActionOfOtherNumbers()
        for rule in rules.withoutRepetition { try builder.add(rule) }
        // The way into the guest: the filter looks for it first.
        if rules.contains(where: { $0.name == "ioctl" }) { try builder.prefer("ioctl") }
        instructions = try builder.export()
    }

    /// Puts the calling thread under this filter, for ever.
    ///
    /// - Parameter notes: whether the kernel's log has whatever it does not simply allow.
    func install(notes: Bool) throws(SystemError) {
        // SAFETY: the kernel copies the program.
        _ = try unsafe installing { unsafe clinux_seccomp_install($0, $1, notes) }
    }

    /// Puts the calling thread under this filter, for ever; the calls that it does not know wait.
    ///
    /// - Returns: what tells of them.
    func installWatched() throws(SystemError) -> OwnedDescriptor {
        // SAFETY: the kernel copies the program.
        let number = try unsafe installing { unsafe clinux_seccomp_watch($0, $1) }
        return OwnedDescriptor(owning: number, name: "denied calls")
    }

    private func installing(
        _ body: (UnsafePointer<sock_filter>, UInt16) -> Int32
    ) throws(SystemError) -> Int32 {
        let result = unsafe instructions.withUnsafeBytes { bytes in
            // SAFETY: an instruction takes 8 bytes with the alignment of its largest part, 4.
            guard let start = unsafe bytes.bindMemory(to: sock_filter.self).baseAddress,
                let count = UInt16(exactly: instructions.count)
            else { return -EINVAL }
            return unsafe body(start, count)
        }
        guard result >= 0 else {
            throw SystemError(
                "install", "a filter of system calls", Errno(rawValue: -result),
                advice: "--seccomp false runs without")
        }
        return result
    }
}

/// libseccomp's filter while it is made.
@safe
private struct FilterBuilder {
    /// libseccomp's own.
    let filter: scmp_filter_ctx
    let name: String

    func setActionOfOtherNumbers() throws(SystemError) {
        // SAFETY: `filter` is valid until whoever made it releases it.
        try check(
            unsafe seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, CSECCOMP_END_PROCESS),
            "other numbers")
    }

    func add(_ rule: SystemCallRule) throws(SystemError) {
        let number = try number(of: rule.name)
        let conditions = rule.conditions.map { condition in
            scmp_arg_cmp(
                arg: condition.argument, op: SCMP_CMP_MASKED_EQ, datum_a: condition.mask,
                datum_b: condition.value)
        }
        let action = rule.outcome == .allowed ? CSECCOMP_ALLOW : CSECCOMP_MISSING
        // SAFETY: `filter` is valid until whoever made it releases it; the conditions are only read.
        let result = unsafe conditions.withUnsafeBufferPointer { conditions in
            unsafe seccomp_rule_add_array(
                filter, action, number, UInt32(conditions.count), conditions.baseAddress)
        }
        try check(result, rule.name)
    }

    func prefer(_ name: String) throws(SystemError) {
        // SAFETY: as above.
        try check(unsafe seccomp_syscall_priority(filter, number(of: name), .max), name)
    }

    private func number(of name: String) throws(SystemError) -> Int32 {
        // SAFETY: the name is a terminated string for the length of the call.
        let number = unsafe seccomp_syscall_resolve_name(name)
        guard number != __NR_SCMP_ERROR else {
            throw SystemError("find", "system call \(name)", .notImplemented)
        }
        return number
    }

    /// The program's instructions, 8 bytes each.
    func export() throws(SystemError) -> [UInt64] {
        // This version of libseccomp writes to descriptors only.
        let file = try MemoryFile(name: "filter \(name)", size: 0)
        // SAFETY: as above.
        try check(unsafe seccomp_export_bpf(filter, file.descriptor.rawValue), "the program")
        let count = try file.descriptor.regularFileSize / 8
        var instructions = [UInt64](repeating: 0, count: count)
        var span = instructions.mutableSpan
        var bytes = unsafe span.mutableBytes
        // SAFETY: any bits are an instruction's; the kernel writes no further than the buffer's end.
        _ = try unsafe bytes.withUnsafeMutableBytes { (buffer) throws(SystemError) in
            try unsafe file.descriptor.read(into: buffer, at: 0)
        }
        return instructions
    }

    /// libseccomp returns 0, or a negative error number.
    private func check(_ result: Int32, _ part: String) throws(SystemError) {
        guard result >= 0 else {
            throw SystemError(
                "make", "the filter \(name) (\(part))", Errno(rawValue: -result))
        }
    }
}
