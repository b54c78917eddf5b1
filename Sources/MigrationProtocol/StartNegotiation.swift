/// What the Start request says: the protocol version and, from a Martlet, the extensions offered.
///
/// This file is the only place that knows the layout. Offsets are within the 16-byte structs.
///
/// | struct | bytes | field |
/// |---|---|---|
/// | request | 2...3 | protocol version |
/// | request | 4...5 | extensions offered |
/// | request | 6...7 | magic |
/// | response | 2...3 | magic |
/// | response | 4...5 | extensions accepted |
public struct StartOffer: Equatable, Sendable {
    /// The version of the base protocol that is spoken.
    public static let baseVersion: UInt16 = 0
    /// Marks the extension fields as written by a Martlet ("LM" as bytes).
    static let magic: UInt16 = 0x4D4C

    /// The extensions offered, or nil to speak the base protocol only.
    public let extensions: Extensions?

    /// An offer to send; nil writes the bytes of a base-protocol source.
    public init(extensions: Extensions?) {
        self.extensions = extensions
    }

    /// Reads the offer in a Start request. Fields without the magic are ignored, as in the base
    /// protocol.
    public init(decoding request: Request) throws(FrameError) {
        guard request.command == .start, request.length == 0 else {
            throw .invalidLength(command: request.command, length: request.length)
        }
        guard request.fields.first == Self.baseVersion else {
            throw .invalidField(name: "protocol version", value: UInt64(request.fields.first))
        }
        extensions =
            request.fields.third == Self.magic
            ? Extensions(rawValue: request.fields.second) : nil
    }

    /// The request that makes this offer.
    public var request: Request {
        guard let extensions else { return Request(.start) }
        return Request(
            .start,
            fields: HeaderFields(
                first: Self.baseVersion, second: extensions.rawValue, third: Self.magic))
    }

    /// The extensions that both this offer and `supported` have; nil for a base-protocol source.
    func accepted(by supported: Extensions) -> Extensions? {
        extensions?.intersection(supported)
    }
}

/// What the answer to Start means for the source.
public enum StartAnswer: Equatable, Sendable {
    /// Go on with these extensions; empty for a base-protocol destination.
    case agreed(Extensions)
    /// A base-protocol destination said Error, perhaps because of the extension fields: connect
    /// once more and offer none.
    case retryWithoutExtensions
    /// The destination does not take this guest. A Martlet's text may follow.
    case refused

    /// Reads the answer to `offer`.
    public init(decoding response: Response, to offer: StartOffer) throws(FrameError) {
        let isMartlet = offer.extensions != nil && response.fields.first == StartOffer.magic
        switch response.status {
        case .ok where isMartlet:
            self = .agreed(try Self.accepted(response, offer))
        case .ok:
            self = .agreed([])
        case .error where offer.extensions != nil && !isMartlet:
            self = .retryWithoutExtensions
        case .error:
            self = .refused
        case .running, .returned, .unknown:
            throw .unknownStatus(response.status.rawValue)
        }
    }

    /// The extensions under which the texts of `response`, an answer to `offer`, are to be read.
    static func accepted(_ response: Response, _ offer: StartOffer) throws(FrameError) -> Extensions
    {
        guard let offered = offer.extensions, response.fields.first == StartOffer.magic else {
            return []
        }
        let accepted = Extensions(rawValue: response.fields.second)
        guard accepted.isSubset(of: offered) else {
            throw .invalidField(name: "accepted extensions", value: UInt64(accepted.rawValue))
        }
        return accepted
    }

    /// What a destination sends to accept.
    static func accepting(_ extensions: Extensions?) -> Answer {
        Answer.start(.ok, fields: fields(extensions))
    }

    /// What a destination sends to refuse; with the magic it is final, and text may follow.
    static func refusing(_ text: String, extensions: Extensions?) -> Answer {
        Answer.start(
            .error, fields: fields(extensions),
            text: extensions?.contains(.errorText) == true ? text : "")
    }

    private static func fields(_ extensions: Extensions?) -> HeaderFields {
        guard let extensions else { return HeaderFields() }
        return HeaderFields(first: StartOffer.magic, second: extensions.rawValue)
    }
}
