import StateCoding

/// The component `guest-event`: what the guest did to its machine and nobody has acted on yet.
struct GuestEventState: VersionedState, Equatable {
    static let name = "guest-event"
    static let version: UInt16 = 1

    /// Longer descriptions are cut; ours are one sentence.
    private static let descriptionLimit = 1024

    var pending: GuestEvent?

    init(pending: GuestEvent?) {
        self.pending = pending
    }

    func encode(into writer: inout StateWriter) {
        switch pending {
        case nil: writer.append(0 as UInt8)
        case .reset: writer.append(1 as UInt8)
        case .shutdown: writer.append(2 as UInt8)
        case .crashed(let description):
            writer.append(3 as UInt8)
            writer.appendString(String(description.prefix(Self.descriptionLimit)))
        case .panicked: writer.append(4 as UInt8)
        }
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        switch try reader.readUInt8() {
        case 0: pending = nil
        case 1: pending = .reset
        case 2: pending = .shutdown
        case 3:
            pending = .crashed(
                description: String(try reader.readString().prefix(Self.descriptionLimit)))
        case 4: pending = .panicked
        case let other: throw reader.invalid("the event has kind \(other)")
        }
    }
}
