import Glibc

/// Finds files.
enum DirectoryWalk {
    /// The Swift files in a folder and in those within it.
    static func files(below folder: String) -> [String] {
        guard let stream = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var files: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            let path = "\(folder)/\(name)"
            if name.hasSuffix(".swift") { files.append(path) }
            // No folder of the sources has a dot in its name.
            if !name.contains(".") { files += Self.files(below: path) }
        }
        return files
    }
}
