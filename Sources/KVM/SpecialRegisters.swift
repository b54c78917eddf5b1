internal import CLinux

/// Segments, descriptor tables and control registers, as a boot loader sets them.
public struct SpecialRegisters: Equatable, Sendable {
    /// A segment register with what the processor keeps of its descriptor.
    public struct Segment: Equatable, Sendable {
        /// The first linear address.
        public var base: UInt64 = 0
        /// The last offset, in bytes.
        public var limit: UInt32 = 0
        /// The visible part.
        public var selector: UInt16 = 0
        /// The descriptor's type, 0...15.
        public var type: UInt8 = 0
        /// The descriptor's privilege level, 0...3.
        public var privilegeLevel: UInt8 = 0
        /// Whether it can be used at all.
        public var isPresent = false
        /// Whether its default size is 32 bits.
        public var isDefault32 = false
        /// Whether it is code or data, not of the system.
        public var isCodeOrData = false
        /// Whether it is 64-bit code.
        public var isLong = false
        /// Whether the limit counts pages in the descriptor.
        public var hasPageGranularity = false
        /// The bit that software may use.
        public var isAvailable = false
        /// Whether it holds no segment.
        public var isUnusable = false

        /// A segment of zeros.
        public init() {}
    }

    /// Where a descriptor table is.
    public struct Table: Equatable, Sendable {
        /// Its linear address.
        public var base: UInt64
        /// Its last offset, in bytes.
        public var limit: UInt16

        /// A table.
        public init(base: UInt64, limit: UInt16) {
            self.base = base
            self.limit = limit
        }
    }

    /// Code.
    public var cs = Segment()
    /// Data.
    public var ds = Segment()
    /// Data.
    public var es = Segment()
    /// Data.
    public var fs = Segment()
    /// Data.
    public var gs = Segment()
    /// Stack.
    public var ss = Segment()
    /// Task.
    public var tr = Segment()
    /// Local descriptors.
    public var ldt = Segment()
    /// Global descriptors.
    public var gdt = Table(base: 0, limit: 0)
    /// Interrupt descriptors.
    public var idt = Table(base: 0, limit: 0)
    /// Control register 0.
    public var cr0: UInt64 = 0
    /// Control register 2: the address of the last page fault.
    public var cr2: UInt64 = 0
    /// Control register 3: the page tables.
    public var cr3: UInt64 = 0
    /// Control register 4.
    public var cr4: UInt64 = 0
    /// Control register 8: the task priority.
    public var cr8: UInt64 = 0
    /// The extended features.
    public var efer: UInt64 = 0
    /// Where the local APIC is, with its flags.
    public var apicBase: UInt64 = 0
    /// An interrupt that is injected and not delivered.
    private var pendingInterrupt: UInt8?

    /// The registers in the bytes of `KVMVirtualProcessor.StatePart.specialRegisters`, or nil for
    /// another number of bytes. There is no empty value, because the local APIC's base and others
    /// are set by KVM when it makes a processor.
    public init?(bytes: [UInt8]) {
        guard bytes.count == MemoryLayout<kvm_sregs>.size else { return nil }
        // SAFETY: the size was checked, and the structure is plain bits.
        let kernel = unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: kvm_sregs.self) }
        cs = Segment(kernel.cs)
        ds = Segment(kernel.ds)
        es = Segment(kernel.es)
        fs = Segment(kernel.fs)
        gs = Segment(kernel.gs)
        ss = Segment(kernel.ss)
        tr = Segment(kernel.tr)
        ldt = Segment(kernel.ldt)
        gdt = Table(base: kernel.gdt.base, limit: kernel.gdt.limit)
        idt = Table(base: kernel.idt.base, limit: kernel.idt.limit)
        cr0 = kernel.cr0
        cr2 = kernel.cr2
        cr3 = kernel.cr3
        cr4 = kernel.cr4
        cr8 = kernel.cr8
        efer = kernel.efer
        apicBase = kernel.apic_base
        let words = kernel.interrupt_bitmap
        for (index, word) in [words.0, words.1, words.2, words.3].enumerated() where word != 0 {
            pendingInterrupt = UInt8(64 * index + word.trailingZeroBitCount)
        }
    }

    /// The bytes of `KVMVirtualProcessor.StatePart.specialRegisters`.
    public var bytes: [UInt8] {
        var kernel = kvm_sregs()
        kernel.cs = cs.kernel
        kernel.ds = ds.kernel
        kernel.es = es.kernel
        kernel.fs = fs.kernel
        kernel.gs = gs.kernel
        kernel.ss = ss.kernel
        kernel.tr = tr.kernel
        kernel.ldt = ldt.kernel
        kernel.gdt = kvm_dtable(base: gdt.base, limit: gdt.limit, padding: (0, 0, 0))
        kernel.idt = kvm_dtable(base: idt.base, limit: idt.limit, padding: (0, 0, 0))
        kernel.cr0 = cr0
        kernel.cr2 = cr2
        kernel.cr3 = cr3
        kernel.cr4 = cr4
        kernel.cr8 = cr8
        kernel.efer = efer
        kernel.apic_base = apicBase
        if let vector = pendingInterrupt {
            let bit = UInt64(1) << UInt64(vector % 64)
            switch vector / 64 {
            case 0: kernel.interrupt_bitmap.0 = bit
            case 1: kernel.interrupt_bitmap.1 = bit
            case 2: kernel.interrupt_bitmap.2 = bit
            default: kernel.interrupt_bitmap.3 = bit
            }
        }
        // SAFETY: every byte of the structure is initialized: it started as zeros.
        return unsafe withUnsafeBytes(of: kernel) { unsafe Array($0) }
    }
}

extension SpecialRegisters.Segment {
    fileprivate init(_ kernel: kvm_segment) {
        base = kernel.base
        limit = kernel.limit
        selector = kernel.selector
        type = kernel.type
        privilegeLevel = kernel.dpl
        isPresent = kernel.present != 0
        isDefault32 = kernel.db != 0
        isCodeOrData = kernel.s != 0
        isLong = kernel.l != 0
        hasPageGranularity = kernel.g != 0
        isAvailable = kernel.avl != 0
        isUnusable = kernel.unusable != 0
    }

    fileprivate var kernel: kvm_segment {
        kvm_segment(
            base: base, limit: limit, selector: selector, type: type, present: isPresent ? 1 : 0,
            dpl: privilegeLevel, db: isDefault32 ? 1 : 0, s: isCodeOrData ? 1 : 0,
            l: isLong ? 1 : 0, g: hasPageGranularity ? 1 : 0, avl: isAvailable ? 1 : 0,
            unusable: isUnusable ? 1 : 0, padding: 0)
    }
}
