import Glibc
import Harness
import LinuxSystem
import Testing

extension MartletProcess {
    /// Stops all threads of the process, and waits until they stand still: the signal alone leaves
    /// each of them a moment to go on. `SIGCONT` lets them.
    func stop() {
        process.signal(SIGSTOP)
        var information = unsafe siginfo_t()
        // SAFETY: the kernel fills the local. Only the stop is taken, not the end.
        let result = unsafe waitid(
            P_PID, id_t(process.identifier), &information, Int32(WSTOPPED))
        #expect(result == 0)
    }
}
