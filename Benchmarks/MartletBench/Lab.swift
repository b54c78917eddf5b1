import Glibc
import Harness
import LinuxSystem

/// Where benchmarks find what they measure and put what they need, and what they say meanwhile.
struct Lab: ~Copyable {
    /// Path of `martlet`.
    let executable: String
    /// Path of Nestling.
    let guest: String
    /// Path of a QEMU to measure beside; nil for none.
    let qemu: String?
    /// A folder that goes when the lab goes.
    let folder: String

    private let most: Int?

    /// A lab with an empty folder.
    ///
    /// - Parameter most: repetitions of anything, at most, for a short look; nil for as many as the
    ///   figure needs.
    init(
        executable: String, guest: String, qemu: String? = nil, most: Int? = nil
    ) throws(BenchmarkError) {
        self.executable = executable
        self.guest = guest
        self.qemu = qemu
        self.most = most
        let path = "/tmp/martlet-bench-\(getpid())"
        guard unsafe mkdir(path, 0o700) == 0 else {
            throw .folder(path, Errno(rawValue: errno))
        }
        folder = path
    }

    deinit {
        // What lies there is flat: sockets, logs, kernels.
        if let listing = unsafe opendir(folder) {
            while let entry = unsafe readdir(listing) {
                // SAFETY: the name is a terminated string until the next call.
                let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != "." && name != ".." { _ = unsafe unlink("\(folder)/\(name)") }
            }
            _ = unsafe closedir(listing)
        }
        _ = unsafe rmdir(folder)
    }

    /// How often to repeat what is usually repeated so often.
    func repetitions(_ usual: Int) -> Int {
        min(usual, max(1, most ?? usual))
    }

    /// Says to a person what happens now.
    func note(_ text: String) {
        let line = Array("bench: \(text)\n".utf8)
        try? StandardStream.error.duplicate().writeAll(line)
    }

    /// A loopback address on which nobody listens at this moment.
    func freeLoopbackAddress() throws(SystemError) -> String {
        let listener = try StreamListener(addresses: SocketAddress.resolve("127.0.0.1:0"))
        return "127.0.0.1:\(try listener.address.port)"
    }

    /// Runs until a deadline what is to come about.
    func wait(
        for what: String, seconds: Int, _ condition: () throws -> Bool
    ) throws {
        let deadline = MonotonicInstant.after(milliseconds: seconds * 1000)
        while try !condition() {
            guard !deadline.hasPassed else { throw BenchmarkError.late(what) }
            MonotonicInstant.after(milliseconds: 2).sleep()
        }
    }
}

/// Why a benchmark has no figure.
enum BenchmarkError: Error, CustomStringConvertible {
    /// The folder for sockets and logs cannot be made.
    case folder(String, Errno)
    /// Something did not happen in time.
    case late(String)
    /// A VMM or a guest did what it must not do.
    case unexpected(String)

    var description: String {
        switch self {
        case .folder(let path, let reason):
            "The folder \(path) cannot be made: \(reason); remove it if it is there"
        case .late(let what): "Waited in vain for \(what)"
        case .unexpected(let what): what
        }
    }
}
