import Testing

@testable import Report

@Suite struct QuantityTests {
    @Test(arguments: [
        0.001, 0.7, 1, 3, 9.99, 10, 64, 100, 999, 1000, 1023, 1024, 5000, 1e6, 123_456_789, 4e9,
        1e15, 1.8e19,
    ])
    func ticksCoverTheValuesInAFewRoundSteps(maximum: Double) throws {
        for quantity in [Quantity.bytes, .bytesPerSecond, .milliseconds] {
            let ticks = quantity.ticks(upTo: maximum, count: 4)
            #expect((2...11).contains(ticks.count), "\(ticks)")
            #expect(ticks.first == 0)
            let last = try #require(ticks.last)
            #expect(last >= maximum * 0.999_999)
            // Half of the plot at least is used.
            #expect(last <= maximum * 2.01, "\(ticks)")
        }
    }

    @Test(arguments: [0, -1, .infinity, -.infinity, .nan, 1e308, 1e-307])
    func absurdMaximaHaveTicksToo(maximum: Double) {
        for quantity in [Quantity.bytes, .milliseconds, .percent] {
            let ticks = quantity.ticks(upTo: maximum, count: 4)
            #expect((2...11).contains(ticks.count))
            #expect(ticks.allSatisfy { !quantity.text($0).isEmpty })
        }
    }

    @Test func powersOfTenSurroundTheValues() {
        #expect(Quantity.powersOfTen(from: 3, to: 250) == [1, 10, 100, 1000])
        #expect(Quantity.powersOfTen(from: 10, to: 10) == [10, 100])
        #expect(Quantity.powersOfTen(from: 0.2, to: 5).count == 3)
        #expect(Quantity.powersOfTen(from: 0, to: 1e300).count <= 16)
    }

    @Test func lengthsAreWhatSVGReads() {
        #expect(length(1) == "1")
        #expect(length(-0.26) == "-0.3")
        #expect(length(12.34) == "12.3")
        #expect(length(.nan) == "0")
        #expect(length(1e300) == "1000000")
    }

    @Test func amountsHaveThreeDigitsAndAUnit() {
        #expect(Amount.bytes(512 << 20) == "512 MiB")
        #expect(Amount.bytes(.max) == "16 EiB")
        #expect(Amount.time(milliseconds: 0.8) == "800 us")
        #expect(Amount.time(milliseconds: 12_345) == "12.3 s")
        #expect(Amount.time(milliseconds: 3_600_000) == "60 min")
        #expect(Amount.time(milliseconds: 9_000_000) == "2.5 h")
        #expect(Amount.time(milliseconds: 180_000_000) == "2.08 d")
        #expect(!Amount.time(milliseconds: -5).isEmpty)
        #expect(Amount.time(milliseconds: .infinity) == "years")
    }
}
