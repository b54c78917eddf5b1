public import GuestMemory
import LinuxSystem

/// The record of pages that the processors write. Writes of devices are in `memory`'s own.
extension Platform {
    /// Begins to record. Pages that have been touched before may be in the record, or not.
    public func startDirtyLog() throws(PlatformError) {
        try platform { () throws(SystemError) in try dirtyLog.start() }
    }

    /// Adds the pages that were written, and not forgotten since, to `pages`.
    public func collectDirtyLog(into pages: inout PageSet) throws(PlatformError) {
        do throws(SystemError) {
            try dirtyLog.collect(into: &pages)
        } catch {
            throw .system(error)
        }
    }

    /// Forgets those of a range of pages that are in a set, before they are read. From any thread.
    ///
    /// - Parameter range: begins at a multiple of 64 and ends at one, or at the end of the region.
    public func forgetDirtyPages(
        _ range: Range<Int>, of set: borrowing PageSet, inRegion index: Int
    ) throws(PlatformError) {
        do throws(SystemError) {
            try dirtyLog.forget(pages: range, of: set, inRegion: index)
        } catch {
            throw .system(error)
        }
    }

    /// Takes so much of their time from the processors, in percent, until 0 is given, the record
    /// ends or the guest is paused. Where it is known which processor writes how much, that which
    /// writes most has `percent` taken and the others less, in proportion.
    public func throttle(percent: Int) throws(PlatformError) {
        let shares = ProcessorThrottle.shares(
            percent: percent, pages: dirtyLog.recentPages, count: processors.count)
        try platform { () throws(SystemError) in try throttle.set(shares) }
    }

    /// Ends the record, and throttling with it; harmless when there is none.
    public func stopDirtyLog() {
        throttle.end()
        dirtyLog.stop()
    }
}
