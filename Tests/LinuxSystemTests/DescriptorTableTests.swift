import LinuxSystem
import Synchronization
import Testing

@Suite struct DescriptorTableTests {
    @Test func aDetachedThreadSeesOnlyItsOwnDescriptors() throws {
        let inherited = try EventDescriptor(name: "of everybody")
        let found = Mutex<[[String]]>([])
        let worker = try WorkerThread(name: "detached") { _ in
            guard (try? DescriptorTable.detach()) != nil else { return }
            func look() {
                let seen = (try? DescriptorTable.openDescriptors()) ?? ["unknown"]
                found.withLock { $0.append(seen) }
            }
            look()
            if let own = try? EventDescriptor(name: "own") {
                look()
                own.signal()
            }
            look()
        }
        worker.join()

        let seen = found.withLock { $0 }
        try #require(seen.count == 3)
        #expect(seen[0] == [])
        #expect(seen[1].count == 1)
        #expect(seen[1].first?.contains("eventfd") == true)
        #expect(seen[2] == [])
        // The others' are untouched.
        inherited.signal()
        try inherited.wait()
    }
}
