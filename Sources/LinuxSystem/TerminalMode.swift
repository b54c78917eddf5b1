internal import CLinux
import Glibc

/// Raw mode of the terminal on standard input, for as long as this value lives: each key reaches
/// the reader at once, and nothing is echoed. Signals of the keyboard (Ctrl-C) still work.
public struct TerminalMode: ~Copyable, Sendable {
    private let previous: Settings

    /// The terminal's settings. Plain numbers and never changed, which the imported structure does
    /// not say of itself.
    private struct Settings: @unchecked Sendable {
        var value: termios
    }

    /// Puts the terminal into raw mode.
    ///
    /// - Returns: nil when standard input is no terminal: then there is nothing to change.
    public static func raw() -> TerminalMode? {
        var settings = termios()
        // SAFETY: the library fills the local.
        guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        let previous = settings
        // SAFETY: as above. Only the way in changes; the log still needs its carriage returns.
        unsafe cfmakeraw(&settings)
        settings.c_lflag |= tcflag_t(ISIG)
        settings.c_oflag = previous.c_oflag
        guard unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings) == 0 else { return nil }
        return TerminalMode(previous: Settings(value: previous))
    }

    private init(previous: Settings) {
        self.previous = previous
    }

    deinit {
        var settings = previous.value
        // SAFETY: the library reads the local.
        _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }
}
