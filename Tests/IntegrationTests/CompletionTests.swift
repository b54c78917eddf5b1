import Glibc
import Harness
import LinuxSystem
import Testing

/// Shells complete the command line of the built program.
@Suite(.needsExecutable) struct CompletionTests {
    /// What bash itself would put into the variables, and what it would offer. The words are
    /// those that bash makes of the line: it breaks at `=` and `:`.
    private func offers(_ line: String, words: [String], folder lab: Lab) throws -> Set<String> {
        let executable = try #require(Prerequisites.executable)
        let script = """
            source <("$0" --generate-completion-script bash)
            line="$1"; shift
            # The generated script calls the program by the first word.
            COMP_WORDS=("$0" "$@")
            COMP_LINE="$0 $line"
            COMP_POINT=${#COMP_LINE}
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            current="${COMP_WORDS[COMP_CWORD]}"
            [[ $current = [=:] ]] && current=
            function=$(complete -p martlet | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            "$function" martlet "$current" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let run = try lab.run(
            "/bin/bash", ["--norc", "-c", script, executable, line] + words)
        #expect(run.status == .exited(0), "\(run.errors)")
        #expect(run.errors.isEmpty)
        return Set(run.output.split(separator: "\n").map(String.init))
    }

    /// A line that somebody is typing, the words that bash makes of it, and some of the offers.
    struct Typed: Sendable {
        let line: String
        let words: [String]
        let expected: Set<String>

        init(_ line: String, _ words: [String], _ expected: Set<String>) {
            self.line = line
            self.words = words
            self.expected = expected
        }
    }

    private static let typed: [Typed] = [
        Typed("run --disk ", ["run", "--disk", ""], ["path=", "readonly=", "id="]),
        Typed("run --disk re", ["run", "--disk", "re"], ["readonly="]),
        Typed("run --net ", ["run", "--net", ""], ["tap=", "mac="]),
        Typed("run --memory ", ["run", "--memory", ""], ["size=", "hugepages="]),
        Typed("run --cpus ", ["run", "--cpus", ""], ["boot=", "profile="]),
        Typed(
            "run --serial ", ["run", "--serial", ""], ["off", "null", "tty", "file=", "socket="]),
        Typed("run --console tty,", ["run", "--console", "tty,"], ["tty,id="]),
        // Only what is behind the last `=` is replaced.
        Typed(
            "run --disk path=/a,re", ["run", "--disk", "path", "=", "/a,re"], ["/a,readonly="]
        ),
        Typed("run --disk readonly=", ["run", "--disk", "readonly", "="], ["on", "off"]),
        Typed(
            "run --cpus boot=2,profile=", ["run", "--cpus", "boot", "=", "2,profile", "="],
            ["host", "x86-64-v3"]
        ),
        Typed(
            "ctl send-migration ", ["ctl", "send-migration", ""], ["destination_url=", "local="]),
        Typed(
            "ctl send-migration destination_url=tcp:h:1,lo",
            ["ctl", "send-migration", "destination_url", "=", "tcp", ":", "h", ":", "1,lo"],
            ["1,local="]
        ),
        Typed(
            "ctl resolve-migration owner=", ["ctl", "resolve-migration", "owner", "="],
            ["source", "destination"]
        ),
    ]

    @Test(arguments: typed)
    func bashOffers(_ typed: Typed) throws {
        let offered = try offers(typed.line, words: typed.words, folder: Lab())
        #expect(typed.expected.isSubset(of: offered), "\(typed.line): \(offered)")
    }

    @Test func whatWasGivenOrIsNotSupportedIsNotOffered() throws {
        let lab = try Lab()
        let again = try offers(
            "run --disk path=/a,", words: ["run", "--disk", "path", "=", "/a,"], folder: lab)
        #expect(again.contains("/a,readonly=") && !again.contains("/a,path="))
        #expect(!again.contains("/a,vhost_user=") && !again.contains("/a,socket="))
        let target = try offers(
            "run --console tty,", words: ["run", "--console", "tty,"], folder: lab)
        #expect(!target.contains("tty,off"))
    }

    @Test(arguments: [
        ["run", "--kernel"], ["run", "--initramfs"], ["run", "--api-socket"],
        ["ctl", "ping", "--api-socket"],
    ])
    func bashOffersFiles(words: [String]) throws {
        let lab = try Lab()
        let path = lab.path("some-file")
        try OwnedDescriptor(opening: path, [.write, .create]).writeAll([1])
        let typed = String(path.dropLast(3))
        let line = (words + [typed]).joined(separator: " ")
        #expect(try offers(line, words: words + [typed], folder: lab) == [path])
    }

    @Test func aValueThatBeginsAsAPathIsOne() throws {
        let lab = try Lab()
        let path = lab.path("some-file")
        try OwnedDescriptor(opening: path, [.write, .create]).writeAll([1])
        let typed = String(path.dropLast(3))
        let offered = try offers(
            "run --disk path=\(typed)", words: ["run", "--disk", "path", "=", typed],
            folder: lab)
        #expect(offered == [path])
    }

    @Test(
        .enabled(if: CompletionTests.hasShell("zsh"), "needs zsh"))
    func zshReadsItsScript() throws {
        try check("zsh", "-n")
    }

    @Test(
        .enabled(if: CompletionTests.hasShell("fish"), "needs fish"))
    func fishReadsItsScript() throws {
        try check("fish", "--no-execute")
    }

    private func check(_ shell: String, _ option: String) throws {
        let lab = try Lab()
        let generated = try lab.martlet("--generate-completion-script", shell)
        let file = lab.path("script")
        try OwnedDescriptor(opening: file, [.write, .create]).writeAll(
            Array(generated.output.utf8))
        let run = try lab.run("/usr/bin/\(shell)", [option, file])
        #expect(run.status == .exited(0) && run.errors.isEmpty, "\(run.errors)")
    }

    private static func hasShell(_ name: String) -> Bool {
        unsafe access("/usr/bin/\(name)", X_OK) == 0
    }
}
