internal import CLinux
import Glibc

/// System calls that belong together, of which the lists of `ThreadKind` are made.
enum CallGroups {
    /// What the C library, Swift's runtime and this program's own log need on every thread.
    ///
    /// - Parameter process: the number of this process.
    @CallList
    static func everyThread(of process: Int32) -> Calls {
        // The allocator; what is mapped is no code. For its number of parts it asks how many
        // processors there are. The file that it would read is read before there are filters
        // (`clinux_settle_allocator`).
        Calls.without("mmap", argument: 2, PROT_EXEC)
        Calls.without("mprotect", argument: 2, PROT_EXEC)
        Calls.any("munmap", "mremap", "madvise", "brk", "sched_getaffinity")
        // Locks, of which Swift's know their owner by its number.
        Calls.any("futex", "gettid", "getpid", "sched_yield")
        // Where the kernel offers no clock to user space.
        Calls.any("clock_gettime", "gettimeofday", "clock_nanosleep", "nanosleep")
        // The kick (`WorkerThread.kick`), and `abort`: to threads of this process only.
        Calls.only("tgkill", argument: 0, process)
        Calls.any("rt_sigreturn", "rt_sigprocmask", "restart_syscall")
        // The log, events, waking others; letting go of what others opened.
        Calls.any("read", "write", "close", "ppoll")
        // The last words of the C library (`abort`), and its sorting, which asks for the memory.
        Calls.any("writev", "sysinfo")
        // Hash tables, the allocator, keys.
        Calls.any("getrandom")
        Calls.any("exit", "exit_group")
    }

    /// Waiting for several descriptors.
    @CallList
    static var polling: Calls {
        Calls.any("epoll_create1", "epoll_ctl", "epoll_pwait2")
    }

    /// What threads and devices are asked and told by.
    @CallList
    static var events: Calls {
        Calls.any("eventfd2", "timerfd_create", "timerfd_settime")
        polling
    }

    /// Flags, copies and locks of descriptors, and seals of memory files. Not F_SETOWN and its
    /// like, by which the kernel would send signals.
    @CallList
    static var descriptorFlags: Calls {
        Calls.only(
            "fcntl", argument: 1, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
            CLINUX_OFD_GETLK, CLINUX_OFD_SETLK, CLINUX_ADD_SEALS, CLINUX_GET_SEALS)
    }

    /// Opening files, and what one asks of them. Older C libraries have `fstat`, newer ones a call
    /// that does more.
    @CallList
    static var files: Calls {
        Calls.any("openat", "newfstatat", "fstat", "lseek", "readlink", "pread64", "pwrite64")
        descriptorFlags
    }

    /// Regular files and block devices as disks.
    @CallList
    static var diskContents: Calls {
        Calls.any("pread64", "pwrite64", "preadv", "pwritev", "fdatasync", "fallocate")
        // Discarding is done in another way on block devices.
        Calls.any("newfstatat", "fstat")
        Calls.requests(CLINUX_BLKDISCARD, CLINUX_BLKZEROOUT)
    }

    /// Memory files: guest RAM, and flags that two processes share.
    @CallList
    static var memoryFiles: Calls {
        Calls.any("memfd_create", "ftruncate", "fallocate", "lseek", "newfstatat", "fstat")
        descriptorFlags
    }

    /// Bytes and descriptors over sockets.
    @CallList
    static var streams: Calls {
        Calls.any("sendmsg", "recvmsg", "getsockopt", "shutdown")
        descriptorFlags
    }

    /// Connections that arrive.
    @CallList
    static var accepting: Calls {
        Calls.any("accept4", "setsockopt", "getsockname", "getpeername")
        streams
    }

    /// New sockets, of the families of migrations and APIs.
    @CallList
    static var sockets: Calls {
        Calls.only("socket", argument: 0, AF_UNIX, AF_INET, AF_INET6)
        Calls.any("bind", "listen", "connect", "setsockopt", "getsockname", "getpeername")
        // The mode of a UNIX socket, and its removal.
        Calls.any("fchmod", "unlink")
        streams
    }

    /// Finding the addresses of a host's name: the C library reads files, asks name servers, its
    /// cache and the kernel, and loads what /etc/nsswitch.conf names: only threads with this group
    /// can map files as code.
    @CallList
    static var names: Calls {
        Calls.without("mmap", argument: 3, MAP_ANONYMOUS)
        Calls.only("socket", argument: 0, AF_NETLINK)
        Calls.only("ioctl", argument: 1, FIONREAD)
        Calls.any(
            "poll", "sendto", "sendmmsg", "recvfrom", "access", "uname", "statfs", "getdents64")
        Calls.any("stat", "lstat", "getuid", "geteuid", "getgid", "getegid", "readv", "writev")
        sockets
        files
    }

    /// Taps, and the interfaces behind them.
    @CallList
    static var taps: Calls {
        Calls.requests(
            CLINUX_TUNSETIFF, CLINUX_TUNGETIFF, CLINUX_TUNSETPERSIST, CLINUX_TUNSETOFFLOAD,
            CLINUX_TUNSETVNETHDRSZ, CLINUX_TUNSETVNETLE, CLINUX_TUNSETQUEUE)
        Calls.requests(
            CLINUX_SIOCGIFFLAGS, CLINUX_SIOCSIFFLAGS, CLINUX_SIOCGIFMTU, CLINUX_SIOCSIFMTU,
            CLINUX_SIOCSIFHWADDR, CLINUX_SIOCSIFADDR, CLINUX_SIOCSIFNETMASK)
        // Which kernel this is decides on offloads.
        Calls.any("uname")
        sockets
    }

    /// Pseudo terminals, and the terminal that the process was started on (termios(3)).
    @CallList
    static var terminals: Calls {
        Calls.requests(
            UInt(CLINUX_TIOCSPTLCK), UInt(CLINUX_TIOCGPTN), UInt(CLINUX_TIOCGPTPEER),
            UInt(TCGETS), UInt(TCSETS), UInt(TCSETSW), UInt(TCSETSF))
    }

    /// Beginning to serve a device that a driver uses. Whoever sets a device going does this: the
    /// vCPU that writes to its register, or whoever starts the guest.
    @CallList
    static var deviceStart: Calls {
        Calls.requests(CLINUX_TUNSETOFFLOAD, CLINUX_TUNSETQUEUE)
        events
    }

    /// Interrupts and doorbells of a machine on KVM.
    @CallList
    static var interrupts: Calls {
        Calls.requests(
            CLINUX_KVM_IRQ_LINE, CLINUX_KVM_SIGNAL_MSI, CLINUX_KVM_SET_GSI_ROUTING,
            CLINUX_KVM_IRQFD,
            CLINUX_KVM_IOEVENTFD)
    }

    /// What KVM offers, and making machines with it. A small guest tries whether rings of written
    /// pages can be relied on (`DirtyRingTrial`), which is why these threads can run one.
    @CallList
    static var machineMaking: Calls {
        Calls.requests(
            CLINUX_KVM_GET_API_VERSION, CLINUX_KVM_CREATE_VM, CLINUX_KVM_CHECK_EXTENSION,
            CLINUX_KVM_GET_VCPU_MMAP_SIZE, CLINUX_KVM_GET_SUPPORTED_CPUID,
            CLINUX_KVM_GET_MSR_INDEX_LIST, CLINUX_KVM_GET_MSR_FEATURE_INDEX_LIST,
            CLINUX_KVM_CREATE_VCPU, CLINUX_KVM_ENABLE_CAP, CLINUX_KVM_SET_TSS_ADDR,
            CLINUX_KVM_SET_IDENTITY_MAP_ADDR, CLINUX_KVM_SET_BOOT_CPU_ID, CLINUX_KVM_CREATE_IRQCHIP,
            CLINUX_KVM_CREATE_PIT2, CLINUX_KVM_SET_CPUID2, CLINUX_KVM_SET_TSC_KHZ,
            CLINUX_KVM_RUN, CLINUX_KVM_PRE_FAULT_MEMORY)
    }

    /// The record of written pages.
    @CallList
    static var dirtyPages: Calls {
        Calls.requests(
            CLINUX_KVM_SET_USER_MEMORY_REGION, CLINUX_KVM_GET_DIRTY_LOG, CLINUX_KVM_CLEAR_DIRTY_LOG,
            CLINUX_KVM_RESET_DIRTY_RINGS)
    }

    /// The state of a machine and of its processors, read and set.
    @CallList
    static var machineState: Calls {
        Calls.requests(
            CLINUX_KVM_GET_IRQCHIP, CLINUX_KVM_SET_IRQCHIP, CLINUX_KVM_GET_PIT2,
            CLINUX_KVM_SET_PIT2, CLINUX_KVM_GET_CLOCK, CLINUX_KVM_SET_CLOCK,
            CLINUX_KVM_KVMCLOCK_CTRL, CLINUX_KVM_NMI)
        Calls.requests(
            CLINUX_KVM_GET_REGS, CLINUX_KVM_SET_REGS, CLINUX_KVM_GET_SREGS, CLINUX_KVM_SET_SREGS,
            CLINUX_KVM_GET_SREGS2, CLINUX_KVM_SET_SREGS2, CLINUX_KVM_GET_XSAVE,
            CLINUX_KVM_GET_XSAVE2, CLINUX_KVM_SET_XSAVE, CLINUX_KVM_GET_XCRS, CLINUX_KVM_SET_XCRS,
            CLINUX_KVM_GET_DEBUGREGS, CLINUX_KVM_SET_DEBUGREGS, CLINUX_KVM_GET_LAPIC,
            CLINUX_KVM_SET_LAPIC, CLINUX_KVM_GET_MP_STATE, CLINUX_KVM_SET_MP_STATE,
            CLINUX_KVM_GET_VCPU_EVENTS, CLINUX_KVM_SET_VCPU_EVENTS, CLINUX_KVM_GET_MSRS,
            CLINUX_KVM_SET_MSRS, CLINUX_KVM_GET_CPUID2, CLINUX_KVM_GET_TSC_KHZ,
            CLINUX_KVM_SET_TSC_KHZ, CLINUX_KVM_GET_NESTED_STATE, CLINUX_KVM_SET_NESTED_STATE,
            CLINUX_KVM_HAS_DEVICE_ATTR, CLINUX_KVM_GET_DEVICE_ATTR, CLINUX_KVM_SET_DEVICE_ATTR)
    }

    /// A guest with its backends, from its first descriptor to its last.
    @CallList
    static var guest: Calls {
        machineState
        dirtyPages
        interrupts
        deviceStart
        memoryFiles
        files
        diskContents
        taps
        terminals
        Calls.requests(CLINUX_KVM_CHECK_EXTENSION)
        // A journal of owners that has become long is replaced by a shorter one.
        Calls.any("rename")
    }
}
