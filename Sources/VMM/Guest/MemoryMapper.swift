import GuestMemory
import LinuxSystem
import Logging
import Machine
import Synchronization

/// Maps the memory of a guest that arrives into the kernel's page tables for it, so that the guest
/// does not fault for each page when it runs here.
///
/// Memory that is handed over is mapped at once; memory that is copied is mapped as it comes, on a
/// thread which follows the pages that were received. It is owned by the guest's machine.
final class MemoryMapper: Sendable {
    /// How long memory that is handed over may take: the guest runs meanwhile, at its source, but
    /// whoever moves it waits. At half a microsecond a page this is 16 GiB in pages of 4 KiB.
    private static let sharedLimitMilliseconds = 2000

    /// How long the thread waits for further pages when there are none.
    private static let patienceMilliseconds = 10

    private let platform: Platform
    private let memory: GuestRAM
    private let logger: Logger
    private let thread = Mutex<WorkerThread?>(nil)

    /// Maps nothing yet.
    init(platform: Platform, memory: GuestRAM, logger: Logger) {
        self.platform = platform
        self.memory = memory
        self.logger = logger
    }

    /// Begins, where the kernel can map memory ahead.
    func begin(_ arriving: ArrivingMemory) {
        guard platform.mapsMemoryAhead else { return }
        do {
            switch arriving {
            case .shared: try mapShared()
            case .copied(let written): try follow(written)
            }
        } catch {
            logger.debug("memory is not mapped ahead: \(error)")
        }
    }

    /// Ends, and waits until nothing is being mapped any more.
    func end() {
        let ended = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        ended?.requestStop()
        ended?.join()
    }

    private func mapShared() throws(PlatformError) {
        let deadline = MonotonicInstant.after(milliseconds: Self.sharedLimitMilliseconds)
        for range in memory.regions.flatMap({ $0.populatedRanges() }) {
            try platform.mapMemory(range) { deadline.hasPassed }
        }
        logger.debug("mapped ahead", metadata: ["complete": "\(!deadline.hasPassed)"])
    }

    private func follow(_ written: GrowingPageSet) throws(SystemError) {
        let (platform, layouts, logger) = (platform, memory.layouts, logger)
        let follower = try WorkerThread(name: "memory mapper", kind: .mapper) { stop in
            var mapped = PageSet(layouts: layouts)
            var fresh = PageSet(layouts: layouts)
            do {
                while !stop.isSignalled {
                    written.collect(into: &fresh, except: mapped)
                    guard !fresh.isEmpty else {
                        try? stop.wait(deadline: .after(milliseconds: Self.patienceMilliseconds))
                        continue
                    }
                    try platform.map(fresh) { stop.isSignalled }
                    mapped.formUnion(fresh)
                    fresh.removeAll()
                }
                logger.debug("mapped ahead", metadata: ["bytes": "\(mapped.byteCount)"])
            } catch {
                logger.debug("memory is not mapped ahead: \(error)")
            }
        }
        thread.withLock { $0 = follower }
    }
}

extension Platform {
    /// Maps pages, run by run.
    fileprivate func map(
        _ pages: borrowing PageSet, until isStopped: () -> Bool
    ) throws(PlatformError) {
        for region in pages.layouts.indices {
            var page = 0
            while let run = pages.nextRun(from: page, inRegion: region), !isStopped() {
                if let range = pages.range(of: run, inRegion: region) {
                    try mapMemory(range, until: isStopped)
                }
                page = run.upperBound
            }
        }
    }
}

extension EventDescriptor {
    /// Whether it was signalled and not drained since.
    fileprivate var isSignalled: Bool { (try? wait(deadline: .now)) != nil }
}
