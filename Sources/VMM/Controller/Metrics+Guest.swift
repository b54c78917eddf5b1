import ControlAPI
import Machine

/// The figures of a guest.
extension Metric {
    /// What the guest is and does.
    static func guest(_ phase: GuestPhase, _ configuration: VmConfig?) -> [Metric] {
        var state = Metric(
            .gauge, "martlet_guest_state", "State of the guest: 1 for the one that it is in.")
        state.add(phase.rawValue, of: GuestPhase.allCases.map(\.rawValue), as: "state")
        return [
            state,
            Metric(
                .gauge, "martlet_guest_memory_bytes", "Size of the guest's memory.",
                configuration?.memory.size),
            Metric(
                .gauge, "martlet_guest_vcpus", "vCPUs of the guest.",
                configuration?.cpus.bootVcpus),
        ]
    }

    /// How often vCPUs needed the VMM, and how long it held them back.
    static func processors(_ exits: [ProcessorExits]) -> [Metric] {
        var metric = Metric(
            .counter, "martlet_vcpu_exits_total",
            "Times that a vCPU left the guest for the VMM, by reason.")
        for exit in exits {
            for (reason, count) in [
                ("port", exit.ports), ("memory", exit.memory),
                ("interruption", exit.interruptions), ("other", exit.others),
            ] {
                metric.add(Double(count), ["vcpu": "\(exit.processor)", "reason": reason])
            }
        }
        var sleep = Metric(
            .counter, "martlet_vcpu_throttled_seconds_total",
            "Time for which a vCPU was held back so that migrations converge.")
        for exit in exits {
            sleep.add(Double(exit.sleptNanoseconds) * 1e-9, ["vcpu": "\(exit.processor)"])
        }
        return [metric, sleep]
    }

    /// What devices have counted.
    static func devices(_ counters: VmCounters) -> [Metric] {
        var metrics: [Metric] = []
        for (counter, device) in DeviceFigure.all {
            var metric = Metric(device.kind, device.name, device.help)
            for (identifier, values) in counters.sorted(by: { $0.key < $1.key }) {
                guard let value = values[counter] else { continue }
                metric.add(Double(value) * device.scale, ["device": identifier])
            }
            metrics.append(metric)
        }
        return metrics
    }
}

/// What a counter of `vm.counters` is called among metrics.
private struct DeviceFigure {
    var kind: Metric.Kind
    var name: String
    var help: String
    /// What it is multiplied with, to be in base units.
    var scale: Double

    /// By the names in `vm.counters`, in the order in which they are told.
    static let all: KeyValuePairs<String, DeviceFigure> = [
        "rx_bytes": total("net_receive_bytes", "Bytes that the guest received."),
        "rx_frames": total("net_receive_frames", "Frames that the guest received."),
        "rx_dropped": total(
            "net_receive_dropped", "Frames for the guest that were dropped."),
        "tx_bytes": total("net_transmit_bytes", "Bytes that the guest sent."),
        "tx_frames": total("net_transmit_frames", "Frames that the guest sent."),
        "tx_dropped": total("net_transmit_dropped", "Frames of the guest that were dropped."),
        "read_bytes": total("device_read_bytes", "Bytes that the guest read."),
        "read_ops": total("device_reads", "Reads that the guest made."),
        "write_bytes": total("device_written_bytes", "Bytes that the guest wrote."),
        "write_ops": total("device_writes", "Writes that the guest made."),
        "read_latency_avg": latency("read", "on average"),
        "read_latency_max": latency("read_max", "at most", of: "read"),
        "write_latency_avg": latency("write", "on average"),
        "write_latency_max": latency("write_max", "at most", of: "write"),
        "dropped_bytes": total(
            "console_dropped_bytes", "Bytes of output that nobody took in time."),
    ]

    private static func total(_ name: String, _ help: String) -> DeviceFigure {
        DeviceFigure(kind: .counter, name: "martlet_\(name)_total", help: help, scale: 1)
    }

    /// The counters are in microseconds.
    private static func latency(
        _ name: String, _ which: String, of operation: String? = nil
    ) -> DeviceFigure {
        DeviceFigure(
            kind: .gauge, name: "martlet_device_\(name)_latency_seconds",
            help: "Time that a \(operation ?? name) took \(which).", scale: 1e-6)
    }
}
