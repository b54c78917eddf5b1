import Foundation
import Testing

/// ACPICA's compiler and disassembler, where it is installed.
enum Disassembler {
    static let path = ["/usr/bin/iasl", "/usr/local/bin/iasl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// The source of a table, after it was translated back without an error or a warning.
    static func source(of table: [UInt8]) throws -> String {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "martlet-iasl-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(table).write(to: folder.appending(path: "table.aml"))
        let taken = try run(["-d", "table.aml"], in: folder)
        #expect(!taken.contains("Warning") && !taken.contains("Error"), "\(taken)")
        let back = try run(["-p", "again", "table.dsl"], in: folder)
        #expect(back.contains(" 0 Errors, 0 Warnings"), "\(back)")
        return try String(contentsOf: folder.appending(path: "table.dsl"), encoding: .utf8)
    }

    private static func run(_ arguments: [String], in folder: URL) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: try #require(path))
        process.arguments = arguments
        process.currentDirectoryURL = folder
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
