extension Conductor {
    /// Writes a report, unless the port is still busy with what came before.
    func report() {
        guard guest.reporter.serial.isEmpty else { return }
        let clock = guest.clock
        var longest: UInt64 = 0
        var recent: UInt64 = 0
        for index in 0..<guest.processors.count {
            let gap = guest.processors[index].gap
            longest = max(longest, gap.longestCycles)
            recent = max(recent, gap.takeRecent())
        }
        var line = Line("report")
        line.add("uptime_ms", clock.uptime)
        line.add("gap_us", clock.microseconds(longest))
        line.add("gap_recent_us", clock.microseconds(recent))
        addMemory(to: &line)
        addDisks(to: &line)
        addNetwork(to: &line)
        if let hotPlug {
            line.add("pci_slots", hotPlug.functions)
            line.add("pci_added", hotPlug.added)
            line.add("pci_ejected", hotPlug.ejected)
            line.add("power_button", hotPlug.presses)
        }
        line.add("errors", guest.reporter.errors)
        guest.reporter.write(line)
    }

    private func addMemory(to line: inout Line) {
        guard guest.options.memory != nil else { return }
        var writes: UInt64 = 0
        var verified: UInt64 = 0
        var passes = UInt64.max
        for part in guest.memoryWorkloads {
            guard let part else { continue }
            writes += part.writes.value
            verified += part.verified.value
            passes = min(passes, part.passes.value)
        }
        line.add("mem_writes", writes)
        line.add("mem_verified", verified)
        line.add("mem_passes", passes)
        line.add("mem_errors", guest.reporter.memoryErrors.value)
    }

    private func addDisks(to line: inout Line) {
        guard !guest.disks.isEmpty else { return }
        var writes: UInt64 = 0
        var reads: UInt64 = 0
        for disk in guest.disks {
            writes += disk.writes.value
            reads += disk.reads.value
        }
        line.add("disk_writes", writes)
        line.add("disk_reads", reads)
        line.add("disk_errors", guest.reporter.diskErrors.value)
    }

    private func addNetwork(to line: inout Line) {
        guard let network = guest.network else { return }
        line.add("net_rx", network.received.value)
        line.add("net_tx", network.sent.value)
        line.add("tcp_connections", network.tcp.openConnections)
        line.add("tcp_lost", network.tcp.lost.value)
        line.add("tcp_bytes", network.tcp.bytes.value)
    }
}
