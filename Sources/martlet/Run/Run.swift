import ArgumentParser
import Confinement
import ControlAPI
import VMM

/// `martlet run`: the VMM.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a guest, or waits for one to be created or received by the API.",
        discussion: """
            With --kernel the guest boots at once. Without, the VMM waits for calls on its API \
            socket. The process ends with status 0 when the guest has shut down or was moved away.

            Examples:
              martlet run --kernel bzImage --initramfs initrd --cmdline console=ttyS0 --serial tty
              martlet run --api-socket /tmp/a --kernel nestling.elf --cmdline "memory=size:64M" \
            --cpus boot=2 --memory size=1G --disk path=disk.raw --net tap=tap0 \
            --serial file=/tmp/serial
              martlet run --api-socket /tmp/b

            Sizes take K, M or G; switches take on or off.
            """)

    @Option(
        help: ArgumentHelp("Serve the API on a UNIX socket.", valueName: "path=PATH|fd=N|PATH"),
        completion: .file(),
        transform: { try APISocketOption(option: $0) })
    var apiSocket: APISocketOption?

    @Option(
        help: ArgumentHelp("Write events as JSON.", valueName: "path=PATH|fd=N"),
        completion: .file(),
        transform: { try EventMonitorOption(option: $0) })
    var eventMonitor: EventMonitorOption?

    @Option(
        help: ArgumentHelp("The kernel: PVH ELF or bzImage.", valueName: "path"),
        completion: .file())
    var kernel: String?

    @Option(help: ArgumentHelp("The initramfs.", valueName: "path"), completion: .file())
    var initramfs: String?

    @Option(help: ArgumentHelp("The kernel's command line.", valueName: "text"))
    var cmdline: String?

    @Option(
        help: ArgumentHelp(
            "vCPUs (1), and what they are: host, or x86-64-v1 to -v4.",
            valueName: "boot=N,profile=PROFILE,max_phys_bits="),
        completion: .keys(of: CpusConfig.self),
        transform: { try CpusConfig(option: $0) })
    var cpus: CpusConfig?

    @Option(
        help: ArgumentHelp(
            "RAM (512M, shared).",
            valueName: "size=SIZE,shared=,hugepages=,prefault=,dirty_tracking="),
        completion: .keys(of: MemoryConfig.self),
        transform: { try MemoryConfig(option: $0) })
    var memory: MemoryConfig?

    @Option(
        help: ArgumentHelp(
            "A disk; can be repeated.",
            valueName: "path=PATH,readonly=,direct=,num_queues=,queue_size=,serial=,id="),
        completion: .keys(of: DiskConfig.self),
        transform: { try DiskConfig(option: $0) })
    var disk: [DiskConfig] = []

    @Option(
        help: ArgumentHelp(
            "A network device on a tap; can be repeated.",
            valueName: "tap=NAME,mac=,mtu=,num_queues=,queue_size=,id="),
        completion: .keys(of: NetConfig.self),
        transform: { try NetConfig(option: $0) })
    var net: [NetConfig] = []

    @Option(
        help: ArgumentHelp("The source of random bytes (/dev/urandom).", valueName: "src=PATH"),
        completion: .keys(of: RngConfig.self),
        transform: { try RngConfig(option: $0) })
    var rng: RngConfig?

    @Option(
        help: ArgumentHelp("The serial port (null).", valueName: "off|null|tty|file=PATH"),
        completion: .keys(.serial),
        transform: { try SerialConfig(option: $0) })
    var serial: SerialConfig?

    @Option(
        help: ArgumentHelp("The virtio console (off).", valueName: "off|null|tty|file=PATH"),
        completion: .keys(.console),
        transform: { try ConsoleConfig(option: $0) })
    var console: ConsoleConfig?

    @Option(
        help: ArgumentHelp("Append the log to a file.", valueName: "path"), completion: .file())
    var logFile: String?

    @Option(
        help: ArgumentHelp(
            "Write down who owns the guest, for after a crash (see martlet journal).",
            valueName: "path"),
        completion: .file())
    var ownershipJournal: String?

    @Flag(name: .short, help: "Log more; can be repeated.")
    var verbose: Int

    @Option(
        help: ArgumentHelp(
            "Deny threads the system calls that their work needs not; log: only note them.",
            valueName: "true|false|log"),
        completion: .list(FilterMode.allCases.map(\.rawValue)),
        transform: { try FilterMode(option: $0) })
    var seccomp = FilterMode.enforced

    @Flag(
        name: .customLong("allow-plain-tcp"),
        help: "Allow migrations to and from other hosts without encryption.")
    var allowsPlainTCP = false

    /// Not `validate`, which comes before the complaint about an option that does not exist: a
    /// mistyped `--kernel` would be told as a missing one.
    private func checkPurpose() throws {
        if kernel == nil && apiSocket == nil {
            throw ValidationError(
                "There is nothing to run: give --kernel to boot a guest, or --api-socket to wait "
                    + "for one.")
        }
        if kernel == nil && describesGuest {
            throw ValidationError("Options that describe a guest need --kernel.")
        }
    }

    func run() throws {
        try checkPurpose()
        var options = VMMOptions()
        options.apiSocket = apiSocket
        options.eventMonitor = eventMonitor
        options.log = LogOptions(file: logFile, level: LogOptions.level(verbosity: verbose))
        options.filters = seccomp
        options.allowsPlainTCP = allowsPlainTCP
        options.ownershipJournal = ownershipJournal
        do {
            options.guest = try guest
            throw ExitCode(try VMMProcess.run(options))
        } catch let status as ExitCode {
            throw status
        } catch {
            throw CommandFailure(error)
        }
    }

    private var describesGuest: Bool {
        initramfs != nil || cmdline != nil || cpus != nil || memory != nil || !disk.isEmpty
            || !net.isEmpty || rng != nil || serial != nil || console != nil
    }

    /// The guest that the options describe; nil without a kernel.
    private var guest: VmConfig? {
        get throws(SchemaError) {
            guard let kernel else { return nil }
            var config = VmConfig()
            var payload = PayloadConfig()
            payload.kernel = kernel
            payload.initramfs = initramfs
            payload.cmdline = cmdline
            config.payload = payload
            if let cpus { config.cpus = cpus }
            if let memory { config.memory = memory }
            config.disks = disk
            config.net = net
            if let rng { config.rng = rng }
            if let serial { config.serial = serial }
            if let console { config.console = console } else { config.console.mode = .off }
            try config.validate()
            return config
        }
    }
}

extension FilterMode {
    /// The value of `--seccomp`.
    fileprivate init(option: String) throws {
        guard let mode = FilterMode(rawValue: option) else {
            throw ValidationError("'\(option)' is not one of true, false and log")
        }
        self = mode
    }
}
