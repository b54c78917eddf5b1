import Glibc

/// The seed that the user wants to repeat: the environment variable `MARTLET_SIMULATION_SEED`.
let environmentSeed = number(inEnvironment: "MARTLET_SIMULATION_SEED")

/// A number that the user gives to the tests in an environment variable.
func number(inEnvironment name: String) -> UInt64? {
    // SAFETY: no test changes the environment, and the text is copied at once.
    guard let text = unsafe getenv(name) else { return nil }
    return UInt64(unsafe String(cString: text))
}
