import Glibc

/// The seed that the user wants to repeat: the environment variable `MARTLET_SIMULATION_SEED`.
let environmentSeed: UInt64? = {
    // SAFETY: no test changes the environment, and the text is copied at once.
    guard let text = unsafe getenv("MARTLET_SIMULATION_SEED") else { return nil }
    return UInt64(unsafe String(cString: text))
}()
