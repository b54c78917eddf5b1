import Testing

@testable import ControlAPI

@Suite struct MetricsPageTests {
    @Test func pageHasTheTextFormatsShape() {
        var metric = Metric(.counter, "martlet_things_total", "Things \\ that\nare.")
        metric.add(3, ["name": "a\"b\\c\nd", "kind": ""])
        metric.add(1.5)
        let page = MetricsPage([
            metric, Metric(.gauge, "martlet_nothing", "Left out."),
            Metric(.gauge, "martlet_big", "Big.", UInt64.max),
            Metric(.gauge, "martlet_unknown", "Left out too.", Double?.none),
        ])
        #expect(
            page.text == #"""
                # HELP martlet_things_total Things \\ that\nare.
                # TYPE martlet_things_total counter
                martlet_things_total{name="a\"b\\c\nd",kind=""} 3
                martlet_things_total 1.5
                # HELP martlet_big Big.
                # TYPE martlet_big gauge
                martlet_big 1.8446744073709552e+19

                """#)
    }

    @Test(arguments: [
        (Double.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (-0.25, "-0.25"), (0, "0"),
        (1e-6, "1e-06"),
    ])
    func numbersAreWhatPrometheusReads(value: Double, text: String) {
        #expect(MetricsPage([Metric(.gauge, "m", "h", value)]).text.hasSuffix("m \(text)\n"))
    }

    @Test func oneStateIsOneAndTheOthersAreZero() {
        var metric = Metric(.gauge, "m", "h")
        metric.add("b", of: ["a", "b"], as: "state", ["end": "x"])
        #expect(metric.samples.map(\.value) == [0, 1])
        #expect(metric.samples.first?.labels.map(\.name) == ["end", "state"])
    }

    @Test func answerHasTheMediaTypeOfTheFormat() {
        let bytes = APIResponse.metrics(Array("m 1\n".utf8)).bytes(keepsAlive: true)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("200 OK"))
        #expect(text.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
        #expect(text.hasSuffix("\r\n\r\nm 1\n"))
    }

    @Test func metricsAreNotBelowTheRoot() {
        #expect(Endpoint(path: "/metrics") == .metrics)
        #expect(Endpoint(path: "/api/v1/metrics") == nil)
        #expect(Endpoint(path: "/api/v1/vmm.ping") == .ping)
    }
}
