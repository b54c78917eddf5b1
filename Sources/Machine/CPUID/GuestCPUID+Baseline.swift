/// The leaves of a baseline.
extension GuestCPUID {
    /// What a guest with a baseline is told. The host takes part with its vendor only; the
    /// frequency of the time stamp counter becomes the guest's own when it is booted.
    ///
    /// - Parameters:
    ///   - processorCount: processors of the guest, from 1 to 254.
    ///   - timestampKilohertz: the frequency of the guest's TSC, if it is known.
    init(
        baseline: CPUBaseline, vendor: CPUBaseline.Vendor, processorCount: Int,
        timestampKilohertz: UInt32?
    ) {
        var table = CPUIDTable([])
        table.setBaselineIdentity(baseline, vendor)
        table.setBaselineCaches(vendor)
        for feature in baseline.features {
            // A test looks up every name.
            guard let place = CPUIDFeatureWord.place(of: feature) else { continue }
            table.set(place.word, bit: place.bit)
        }
        if vendor == .amd { table.repeatBasicFeatures() }
        table.setExtendedStates(baseline.extendedStates[vendor] ?? [])
        let features = table.leaf(0x4000_0001)?.eax ?? 0
        table.setHypervisorLeaves(features: features, timestampKilohertz: timestampKilohertz)
        table.setTopology(processorCount: UInt32(clamping: processorCount))
        // What is not set by now exists and is zero.
        for function: UInt32 in [3, 5, 6, 0x8000_0007] { table.makeLeaf(function) }
        self.init(
            entries: table.entries.sorted { ($0.function, $0.index) < ($1.function, $1.index) })
    }
}

extension CPUIDTable {
    /// Leaf 1's features that AMD repeats in EDX of 0x80000001.
    /// Source: AMD APM volume 3, E.4.2.
    private static let repeated: UInt32 = 0x0183_f3ff

    /// Makes a leaf of zeros where there is none.
    fileprivate mutating func makeLeaf(_ function: UInt32, _ index: UInt32 = 0) {
        guard leaf(function, index) == nil else { return }
        let hasSubleaves = [4, 7, 0xb, 0xd].contains(function)
        append(
            CPUIDEntry(
                function: function, index: index,
                flags: hasSubleaves ? CPUIDEntry.indexCounts : 0, eax: 0, ebx: 0, ecx: 0, edx: 0))
    }

    fileprivate mutating func set(_ word: CPUIDFeatureWord, bit: Int) {
        makeLeaf(word.function, word.index)
        update(word.function) { leaf in
            if leaf.index == word.index { leaf[word.register] |= 1 << UInt32(bit) }
        }
    }

    fileprivate mutating func repeatBasicFeatures() {
        let basic = (leaf(1)?.edx ?? 0) & Self.repeated
        update(0x8000_0001) { $0.edx |= basic }
    }

    /// Vendor, model, name and address bits.
    fileprivate mutating func setBaselineIdentity(
        _ baseline: CPUBaseline, _ vendor: CPUBaseline.Vendor
    ) {
        let name = Self.words(of: vendor.rawValue, count: 3)
        let signature = baseline.models[vendor]?.signature ?? 0
        replace(0, eax: 0xd, ebx: name[0], ecx: name[2], edx: name[1])
        // The line that CLFLUSH writes back has 8 times 8 bytes.
        replace(1, eax: signature, ebx: 8 << 8, ecx: 0, edx: 0)
        let isAMD = vendor == .amd
        replace(
            0x8000_0000, eax: 0x8000_0008, ebx: isAMD ? name[0] : 0, ecx: isAMD ? name[2] : 0,
            edx: isAMD ? name[1] : 0)
        replace(0x8000_0001, eax: isAMD ? signature : 0, ebx: 0, ecx: 0, edx: 0)
        let brand = Self.words(of: baseline.brand, count: 12)
        for part in 0..<3 {
            replace(
                0x8000_0002 + UInt32(part), eax: brand[4 * part], ebx: brand[4 * part + 1],
                ecx: brand[4 * part + 2], edx: brand[4 * part + 3])
        }
        // 48 bits of linear address.
        replace(0x8000_0008, eax: 48 << 8 | baseline.addressBits, ebx: 0, ecx: 0, edx: 0)
    }

    /// Caches as a plain server has them: what the host has is not told. 32 KiB for data and for
    /// code with 8 ways, 1 MiB and 16 MiB with 16 ways, lines of 64 bytes.
    fileprivate mutating func setBaselineCaches(_ vendor: CPUBaseline.Vendor) {
        let line: UInt32 = 63
        switch vendor {
        case .intel:
            // Leaf 2 refers to leaf 4.
            replace(2, eax: 1, ebx: 0xff, ecx: 0, edx: 0)
            let eightWays = line | 7 << 22
            let sixteenWays = line | 15 << 22
            // EAX: kind, level, bit 8 says that it needs no initialization.
            replace(
                4,
                subleaves: [
                    (1 | 1 << 5 | 1 << 8, eightWays, 63, 0),
                    (2 | 1 << 5 | 1 << 8, eightWays, 63, 0),
                    (3 | 2 << 5 | 1 << 8, sixteenWays, 1023, 0),
                    (3 | 3 << 5 | 1 << 8, sixteenWays, 16383, 0),
                    (0, 0, 0, 0),
                ])
            replace(0x8000_0005, eax: 0, ebx: 0, ecx: 0, edx: 0)
            replace(0x8000_0006, eax: 0, ebx: 0, ecx: 1024 << 16 | 8 << 12 | 64, edx: 0)
        case .amd:
            // Sizes in KiB, 8 ways, one line for each tag, 64 bytes; 64 entries for translations.
            let first: UInt32 = 32 << 24 | 8 << 16 | 1 << 8 | 64
            replace(0x8000_0005, eax: 0xff40_ff40, ebx: 0xff40_ff40, ecx: first, edx: first)
            // 8 stands for 16 ways; the third level counts in units of 512 KiB.
            replace(
                0x8000_0006, eax: 0, ebx: 0, ecx: 1024 << 16 | 8 << 12 | 1 << 8 | 64,
                edx: 32 << 18 | 8 << 12 | 1 << 8 | 64)
        }
    }

    /// x87 and SSE registers and the header take 576 bytes.
    fileprivate mutating func setExtendedStates(_ states: [CPUBaseline.ExtendedState]) {
        guard !states.isEmpty else { return }
        let size = states.map { $0.offset + $0.size }.max() ?? 0
        let mask = states.reduce(3) { $0 | 1 << $1.index }
        let instructions = leaf(0xd, 1)?.eax ?? 0
        remove { $0.function == 0xd }
        // EBX follows XCR0; the kernel writes it.
        let leaves =
            [(UInt32(0), UInt32(mask), size, size), (1, instructions, 0, 0)]
            + states.map { ($0.index, $0.size, $0.offset, 0) }
        for (index, eax, ebx, ecx) in leaves {
            append(
                CPUIDEntry(
                    function: 0xd, index: index, flags: CPUIDEntry.indexCounts, eax: eax, ebx: ebx,
                    ecx: ecx, edx: 0))
        }
    }

    /// Text in registers, four characters in each, filled up with zeros.
    private static func words(of text: String, count: Int) -> [UInt32] {
        let bytes = Array(text.utf8.prefix(4 * count))
        return (0..<count).map { word in
            (0..<4).reduce(0) { value, byte in
                let position = 4 * word + byte
                return position < bytes.count
                    ? value | UInt32(bytes[position]) << UInt32(8 * byte) : value
            }
        }
    }
}
