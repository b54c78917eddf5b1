extension DestinationProtocol {
    /// The answer to a Start that cannot be taken now, for instance since a guest exists already.
    public static func refusal(
        of start: Request, supported: Extensions = .offered, because reason: String
    ) -> Answer {
        let offer = try? StartOffer(decoding: start)
        return StartAnswer.refusing(reason, extensions: offer?.accepted(by: supported))
    }
}
