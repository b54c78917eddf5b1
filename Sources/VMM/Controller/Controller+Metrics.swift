import ControlAPI
import LinuxSystem
import Machine

/// Figures for those who watch many VMMs.
extension Controller {
    /// What Prometheus is told.
    var metrics: MetricsPage {
        let timeline = currentTimeline
        var running: MigrationTimelineReport?
        switch slot.phase {
        case .sending, .receiving: running = timeline
        case .empty, .created, .running, .paused, .stranded: break
        }
        var build = Metric(.gauge, "martlet_build_info", "The version that runs; always 1.")
        build.add(1, ["version": Version.number])
        return MetricsPage(
            [build] + process + Metric.guest(slot.phase, slot.configuration)
                + Metric.processors(slot.hardware?.processorExits ?? [])
                + Metric.devices(slot.hardware?.counters ?? [:]) + Metric.migration(timeline)
                + Metric.migrations(tally, running: running))
    }

    /// The names are those that Prometheus' own libraries use in every program.
    private var process: [Metric] {
        let start = Metric(
            .gauge, "process_start_time_seconds", "When the VMM started, since 1970.",
            Double(environment.startedAt / 1_000_000) / 1000)
        guard let usage = try? ProcessUsage.current else { return [start] }
        return [
            start,
            Metric(
                .counter, "process_cpu_seconds_total",
                "Time that all threads ran on processors, the guest's included.",
                Double(usage.processorNanoseconds) / 1e9),
            Metric(
                .gauge, "process_resident_memory_bytes",
                "Memory that is in RAM, the guest's included.", usage.residentBytes),
            Metric(
                .gauge, "process_virtual_memory_bytes", "Addresses that are in use.",
                usage.virtualBytes),
        ]
    }
}
