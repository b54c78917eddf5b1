internal import CLinux
import Glibc

/// A pseudo terminal: what is written to the controller is what its users read, and the other way
/// round. It passes bytes as they are (raw mode).
///
/// Its own side for users stays open, so that the controller never hangs up: users come and go,
/// and what nobody has read yet waits in the kernel, as far as it has room.
///
/// Source: pty(7), ioctl_tty(2) (`TIOCSPTLCK`, `TIOCGPTN`, `TIOCGPTPEER`).
public struct PseudoTerminal: ~Copyable, Sendable {
    /// The side of whoever made it. Reads and writes do not wait.
    public let controller: OwnedDescriptor
    /// Where users find it.
    public let path: String
    private let user: OwnedDescriptor

    /// Makes a new one.
    public init() throws(SystemError) {
        let controller = try OwnedDescriptor(
            opening: "/dev/ptmx", [.write, .nonblocking],
            advice: "a pseudo terminal needs a devpts file system at /dev/pts")
        let path = try controller.unlockTerminal()
        let user = OwnedDescriptor(
            owning: try check(
                clinux_ioctl_value(
                    controller.rawValue, UInt(CLINUX_TIOCGPTPEER),
                    UInt(O_RDWR | O_NOCTTY | O_CLOEXEC)),
                "open", path),
            name: path)
        try user.makeTerminalRaw()
        self.controller = controller
        self.path = path
        self.user = user
    }
}

extension OwnedDescriptor {
    /// Lets users open the terminal of a controller.
    ///
    /// - Returns: where they find it.
    fileprivate func unlockTerminal() throws(SystemError) -> String {
        var isLocked: CInt = 0
        var number: CUnsignedInt = 0
        // SAFETY: the kernel reads and fills the locals.
        _ = try check(
            unsafe clinux_ioctl_pointer(rawValue, UInt(CLINUX_TIOCSPTLCK), &isLocked),
            "unlock the pseudo terminal of", name)
        _ = try check(
            unsafe clinux_ioctl_pointer(rawValue, UInt(CLINUX_TIOCGPTN), &number),
            "find the pseudo terminal of", name)
        return "/dev/pts/\(number)"
    }

    fileprivate func makeTerminalRaw() throws(SystemError) {
        var settings = termios()
        // SAFETY: the library fills and reads the local.
        guard unsafe tcgetattr(rawValue, &settings) == 0 else {
            throw SystemError("query", name, .last)
        }
        unsafe cfmakeraw(&settings)
        guard unsafe tcsetattr(rawValue, TCSANOW, &settings) == 0 else {
            throw SystemError("make raw", name, .last)
        }
    }
}
