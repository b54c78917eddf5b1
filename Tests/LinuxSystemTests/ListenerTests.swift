import Glibc
import LinuxSystem
import Testing

@Suite struct ListenerTests {
    @Test func listenerAcceptsOnItsPathAndRemovesIt() throws {
        let path = temporaryPath("accepts")
        do {
            let listener = try StreamListener(path: path)
            let client = try StreamSocket.connect(path: path)
            let server = try listener.accept(deadline: .after(milliseconds: 120_000))
            try client.sendAll([1].span)
            #expect(try server.peer.isOnThisMachine)
        }
        #expect(unsafe access(path, F_OK) != 0)
        unlinkLock(path)
    }

    @Test func socketIsForItsUserOnly() throws {
        let path = temporaryPath("mode")
        let listener = try StreamListener(path: path)
        var information = stat()
        unsafe stat(path, &information)

        #expect(information.st_mode & 0o777 == 0o600)
        #expect(listener.descriptor.name == "socket \(path)")
        unlinkLock(path)
    }

    @Test func secondListenerIsRefusedAndHarmsNobody() throws {
        let path = temporaryPath("second")
        let listener = try StreamListener(path: path)

        let error = #expect(throws: SystemError.self) { _ = try StreamListener(path: path) }
        let client = try StreamSocket.connect(path: path)

        #expect(error?.errno == .addressInUse)
        _ = try listener.accept(deadline: .after(milliseconds: 120_000))
        client.shutdown()
        unlinkLock(path)
    }

    @Test func socketOfADeadProcessIsReplaced() throws {
        let path = temporaryPath("stale")
        try makeStaleSocket(path)

        let listener = try StreamListener(path: path)
        let client = try StreamSocket.connect(path: path)

        _ = try listener.accept(deadline: .after(milliseconds: 120_000))
        client.shutdown()
        unlinkLock(path)
    }

    @Test func stoppedListenerEndsWaiting() throws {
        let path = temporaryPath("stopped")
        let listener = try StreamListener(path: path)
        listener.stopListening()

        let error = #expect(throws: SystemError.self) {
            _ = try listener.accept(deadline: .after(milliseconds: 120_000))
        }
        #expect(error?.errno == .invalidArgument)
        unlinkLock(path)
    }

    @Test func inheritedListenerIsTakenOver() throws {
        let path = temporaryPath("adopted")
        let original = try StreamListener(path: path)
        let adopted = try StreamListener(adopting: try original.descriptor.duplicate())
        let client = try StreamSocket.connect(path: path, deadline: .after(milliseconds: 120_000))
        let server = try adopted.accept(deadline: .after(milliseconds: 120_000))
        try client.sendAll([7].span)
        #expect(try server.peer.isOnThisMachine)
        // Nobody else has connected, and it does not wait for that longer than asked.
        #expect(throws: SystemError.self) { _ = try adopted.accept(deadline: .now) }
        unlinkLock(path)
    }

    @Test func socketThatDoesNotListenIsNotTakenOver() throws {
        let pair = try StreamSocket.pair(name: "connected")
        let error = #expect(throws: SystemError.self) {
            _ = try StreamListener(adopting: try pair.first.descriptor.duplicate())
        }
        #expect(error?.errno == .invalidArgument)
    }

    @Test func fileThatIsNoSocketIsLeftAlone() throws {
        let path = temporaryPath("file")
        let file = try OwnedDescriptor(opening: path, [.write, .create])
        try file.writeAll([1])

        let error = #expect(throws: SystemError.self) { _ = try StreamListener(path: path) }

        #expect(error?.errno == .addressInUse)
        #expect(try file.regularFileSize == 1)
        unsafe unlink(path)
        unlinkLock(path)
    }

    @Test func acceptingEndsAtTheDeadline() throws {
        let path = temporaryPath("nobody")
        let listener = try StreamListener(path: path)

        let error = #expect(throws: SystemError.self) {
            _ = try listener.accept(deadline: .after(milliseconds: 1))
        }
        #expect(error?.errno == .timedOut)
        unlinkLock(path)
    }

    @Test func connectingToABusyListenerEndsAtTheDeadline() throws {
        let path = temporaryPath("busy")
        let listener = try StreamListener(path: path)
        var waiting: [SharedDescriptor] = []
        var failure: SystemError?
        while failure == nil, waiting.count < 1000 {
            do throws(SystemError) {
                let socket = try StreamSocket.connect(
                    path: path, deadline: .after(milliseconds: 5))
                waiting.append(SharedDescriptor(try socket.descriptor.duplicate()))
            } catch {
                failure = error
            }
        }
        #expect(failure?.errno == .timedOut)
        _ = try listener.accept(deadline: .now)
        unlinkLock(path)
    }

    @Test func pathThatIsTooLongIsRefused() {
        let path = temporaryPath(String(repeating: "x", count: 100))
        let error = #expect(throws: SystemError.self) {
            _ = try StreamSocket.connect(path: path)
        }
        #expect(error?.errno == .nameTooLong)
    }

    /// Leaves a socket in the file system that nobody listens on.
    @Test func nothingIsLeftInTheFileSystem() throws {
        let path = temporaryPath("gone")
        do {
            let listener = try StreamListener(path: path)
            _ = listener.descriptor.name
            #expect(unsafe access(path + ".lock", F_OK) == 0)
        }
        #expect(unsafe access(path, F_OK) != 0)
        #expect(unsafe access(path + ".lock", F_OK) != 0)
    }

    private func makeStaleSocket(_ path: String) throws {
        let other = path + ".other"
        let listener = try StreamListener(path: other)
        #expect(unsafe rename(other, path) == 0)
        _ = listener.descriptor.name
        unlinkLock(other)
    }

    private func temporaryPath(_ name: String) -> String {
        "/tmp/martlet-\(getpid())-\(name)"
    }

    private func unlinkLock(_ path: String) {
        unsafe unlink(path + ".lock")
    }
}
