public import GuestMemory
import LinuxSystem

/// The record of pages that the processors write. Writes of devices are in `memory`'s own.
extension Platform {
    /// Begins to record, with no page written yet.
    public func startDirtyLog() throws(PlatformError) {
        try platform { () throws(SystemError) in try dirtyLog.start() }
    }

    /// Adds the pages written since the last call to `pages`, and forgets them. While the
    /// processors are paused they are not forgotten where that would cost time: there can be no
    /// new ones, and a guest that goes on after all has them sent again.
    public func collectDirtyLog(into pages: inout PageSet) throws(PlatformError) {
        do throws(SystemError) {
            try dirtyLog.collect(into: &pages, clearing: isRunning)
        } catch {
            throw .system(error)
        }
    }

    /// Ends the record; harmless when there is none.
    public func stopDirtyLog() {
        dirtyLog.stop()
    }
}
