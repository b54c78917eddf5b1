import LinuxSystem

/// What the program says to its user on standard output. Written at once, so that text and bars
/// come in the order in which they were said, also into a pipe.
func say(_ text: String, terminator: String = "\n") {
    // A reader that is gone has heard enough.
    try? StandardStream.output.duplicate().writeAll(Array((text + terminator).utf8))
}
