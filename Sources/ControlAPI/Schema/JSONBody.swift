internal import FoundationEssentials

/// JSON as bytes, to and from the objects of the schema.
public enum JSONBody {
    /// Reads an object.
    /// - Throws: An error that names the field at fault by its path.
    public static func decode<Object: Decodable>(
        _ type: Object.Type, from bytes: [UInt8]
    ) throws(SchemaError) -> Object {
        if let path = DuplicateKeys.first(in: bytes) {
            throw .invalid(path: path, reason: "is given twice")
        }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as SchemaError {
            throw error
        } catch DecodingError.typeMismatch(_, let context) {
            throw .wrongType(path: ObjectReader.path(context.codingPath), expected: "\(type)")
        } catch DecodingError.dataCorrupted(let context) {
            throw .malformed(reason: context.debugDescription)
        } catch {
            throw .malformed(reason: "\(error)")
        }
    }

    /// Writes an object. Keys are sorted, so equal objects give equal bytes.
    /// - Parameter isPretty: Whether to write it over several lines, for people.
    public static func encode(_ object: some Encodable, isPretty: Bool = false) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if isPretty { encoder.outputFormatting.insert(.prettyPrinted) }
        // Only numbers that are not finite cannot be written, and the schema has none.
        guard let data = try? encoder.encode(object) else { return Array("null".utf8) }
        return Array(data)
    }
}
