/// Comparing what a guest was told about its processors with what a host can give.
extension GuestCPUID {
    /// What the guest was told and `host` does not have, by name; empty when the guest can run
    /// there. The vendor counts as well, since guests choose their code by it, and so does the
    /// layout of the area in which XSAVE keeps registers, since it is the hardware's.
    ///
    /// - Parameter host: the leaves that a new guest would get on the host.
    public func missingFeatures(on host: GuestCPUID) -> [String] {
        let here = CPUIDTable(entries)
        let there = CPUIDTable(host.entries)
        var missing: [String] = []
        if let mine = here.leaf(0), let other = there.leaf(0),
            (mine.ebx, mine.ecx, mine.edx) != (other.ebx, other.ecx, other.edx)
        {
            missing.append(
                "processors of the same vendor (\(here.vendor), not \(there.vendor))")
        }
        for word in CPUIDFeatureWord.all {
            var bits = word.value(in: here) & ~word.value(in: there)
            while bits != 0 {
                let name = word.name(ofBit: bits.trailingZeroBitCount)
                // AMD has some features in two leaves.
                if !missing.contains(name) { missing.append(name) }
                bits &= bits - 1
            }
        }
        missing += here.misplacedExtendedStates(on: there)
        let addressBits = (here.addressBits, there.addressBits)
        if addressBits.0 > addressBits.1 {
            missing.append(
                "\(addressBits.0) bits of physical address (it has \(addressBits.1))")
        }
        return missing
    }
}

extension CPUIDTable {
    /// Register sets that XSAVE keeps, by their number. Source: Intel SDM volume 1, 13.1.
    static let extendedStateNames: [Int: String] = [
        0: "x87", 1: "sse", 2: "avx", 3: "bndregs", 4: "bndcsr", 5: "opmask", 6: "zmm_hi256",
        7: "hi16_zmm", 9: "pkru", 17: "amx_tilecfg", 18: "amx_tiledata",
    ]

    /// Bits of a physical address; 36 where the leaf is missing, as the manuals say.
    var addressBits: UInt32 { leaf(0x8000_0008).map { $0.eax & 0xff } ?? 36 }

    /// The frequency of the time stamp counter in kHz, from the leaf that hypervisors agreed on.
    var timestampKilohertz: UInt32? {
        guard let leaf = leaf(0x4000_0010), leaf.eax != 0 else { return nil }
        return leaf.eax
    }

    /// The vendor's 12 characters. It comes from peers as well, so that only printable ones stay.
    var vendor: String {
        guard let leaf = leaf(0) else { return "" }
        let bytes = [leaf.ebx, leaf.edx, leaf.ecx].flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
        }
        let printable = bytes.prefix { $0 != 0 }.map {
            (0x20...0x7e).contains($0) ? $0 : UInt8(ascii: "?")
        }
        return String(decoding: printable, as: UTF8.self)
    }

    /// Register sets which both have, but not in the same place: the saved ones could not be
    /// restored, and the guest's own would be read wrongly.
    fileprivate func misplacedExtendedStates(on host: CPUIDTable) -> [String] {
        var names: [String] = []
        for index in 2..<UInt32(64) {
            guard let mine = leaf(0xd, index), let other = host.leaf(0xd, index),
                mine.eax != 0, other.eax != 0,
                (mine.eax, mine.ebx, mine.ecx) != (other.eax, other.ebx, other.ecx)
            else { continue }
            let name = Self.extendedStateNames[Int(index)] ?? "\(index)"
            names.append(
                "XSAVE component \(name) of \(mine.eax) bytes at offset \(mine.ebx) "
                    + "(it has \(other.eax) bytes at \(other.ebx))")
        }
        return names
    }
}
