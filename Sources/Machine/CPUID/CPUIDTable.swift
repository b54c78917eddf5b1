/// The CPUID leaves of a guest, to be looked up and changed leaf by leaf.
struct CPUIDTable {
    private(set) var entries: [CPUIDEntry]

    init(_ entries: [CPUIDEntry]) {
        self.entries = entries
    }

    /// The leaf, with subleaf 0 where it has subleaves.
    func leaf(_ function: UInt32, _ index: UInt32 = 0) -> CPUIDEntry? {
        entries.first { $0.function == function && $0.index == index }
    }

    /// Changes every subleaf of a leaf; nothing where there is none.
    mutating func update(_ function: UInt32, _ change: (inout CPUIDEntry) -> Void) {
        for position in entries.indices where entries[position].function == function {
            change(&entries[position])
        }
    }

    /// Takes leaves away; the processor then answers zeros.
    mutating func remove(where isUnwanted: (CPUIDEntry) -> Bool) {
        entries.removeAll(where: isUnwanted)
    }

    /// Adds a leaf that is not there yet.
    mutating func append(_ entry: CPUIDEntry) {
        entries.append(entry)
    }

    /// Puts one leaf without subleaves in place of whatever is there.
    mutating func replace(
        _ function: UInt32, eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32
    ) {
        remove { $0.function == function }
        entries.append(
            CPUIDEntry(
                function: function, index: 0, flags: 0, eax: eax, ebx: ebx, ecx: ecx, edx: edx))
    }

    /// Puts subleaves in place of whatever is there.
    mutating func replace(
        _ function: UInt32,
        subleaves: [(eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32)]
    ) {
        remove { $0.function == function }
        for (index, leaf) in subleaves.enumerated() {
            entries.append(
                CPUIDEntry(
                    function: function, index: UInt32(index), flags: CPUIDEntry.indexCounts,
                    eax: leaf.eax, ebx: leaf.ebx, ecx: leaf.ecx, edx: leaf.edx))
        }
    }
}

extension CPUIDEntry {
    /// The flag that says that the subleaf counts (KVM_CPUID_FLAG_SIGNIFCANT_INDEX).
    static let indexCounts: UInt32 = 1
}
