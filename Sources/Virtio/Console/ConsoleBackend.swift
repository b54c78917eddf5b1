internal import LinuxSystem
public import Machine

/// What a guest's console is made of.
public struct ConsoleConfiguration: Hashable, Sendable {
    /// Name of the device.
    public var identifier: String
    /// Where its output goes, and its input comes from.
    public var output: SerialOutput
    /// Whether input is taken where there is some; false where another device of the guest takes
    /// it.
    public var takesInput: Bool

    /// A console.
    public init(identifier: String, output: SerialOutput, takesInput: Bool = true) {
        self.identifier = identifier
        self.output = output
        self.takesInput = takesInput
    }
}

/// The streams behind a console.
final class ConsoleBackend: Sendable {
    /// nil drops what is written.
    let output: SharedDescriptor?
    /// nil gives no input.
    let input: SharedDescriptor?

    /// Opens what the configuration names.
    init(_ configuration: ConsoleConfiguration) throws(SystemError) {
        switch configuration.output {
        case .null:
            (output, input) = (nil, nil)
        case .standardStreams:
            output = SharedDescriptor(try StandardStream.output.duplicate())
            input =
                configuration.takesInput
                ? SharedDescriptor(try StandardStream.input.duplicate()) : nil
        case .file(let path):
            output = SharedDescriptor(
                try OwnedDescriptor(opening: path, [.write, .create, .append]))
            input = nil
        }
    }

    /// Uses streams that are open already.
    init(output: SharedDescriptor?, input: SharedDescriptor?) {
        self.output = output
        self.input = input
    }
}
