/// The body of `vm.remove-device`.
public struct RemoveDeviceData: SchemaObject {
    /// Name of the device.
    public var id = ""

    /// Only for `SchemaObject`: there is no default for the name.
    public init() {}

    /// Removes the device of this name.
    public init(id: String) {
        self.id = id
    }

    /// See `SchemaObject`.
    public static let fields: [Field<RemoveDeviceData>] = [.required("id", \.id)]
}

/// The body of `vm.resize-disk`.
public struct ResizeDiskData: SchemaObject, OptionObject {
    /// Name of the disk.
    public var id = ""
    /// Bytes that it shall have.
    public var desiredSize: UInt64 = 0

    /// Only for `SchemaObject`: there are no defaults.
    public init() {}

    /// Gives the disk of this name so many bytes.
    public init(id: String, desiredSize: UInt64) {
        self.id = id
        self.desiredSize = desiredSize
    }

    /// What errors about its option string name.
    public static let optionName = "resize-disk"

    /// See `SchemaObject`.
    public static let fields: [Field<ResizeDiskData>] = [
        .required("id", \.id),
        .requiredSize("desired_size", \.desiredSize, option: "size"),
    ]
}

/// The answer of `vm.add-disk` and `vm.add-net` where the guest has been booted.
public struct AddedDevice: Codable, Equatable, Sendable {
    /// Name of the device.
    public var id: String
    /// Its place on the PCI bus, as in `0000:00:05.0`.
    public var bdf: String

    /// A device with its name and place.
    public init(id: String, bdf: String) {
        self.id = id
        self.bdf = bdf
    }
}
