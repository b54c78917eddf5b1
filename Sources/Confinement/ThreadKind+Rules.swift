internal import CLinux
import Glibc
import LinuxSystem

/// What each kind of thread may call, besides what all may. Nobody may start programs (`execve`),
/// look into other processes (`ptrace`), or change users, mounts and namespaces; only the starter
/// makes threads, and only the control thread and those that make connections resolve names.
extension ThreadKind {
    /// The calls of this kind.
    ///
    /// - Parameter process: the number of this process.
    func rules(of process: Int32) -> Calls {
        CallGroups.everyThread(of: process) + ownRules
    }

    private var ownRules: Calls {
        switch self {
        case .control: CallLists.control
        case .starter: CallLists.starter
        case .api: CallLists.api
        case .devices: CallLists.devices
        case .vcpu: CallLists.vcpu
        case .throttle: []
        case .disk: CallLists.disk
        case .net: CallLists.net
        case .console: CallLists.console
        case .entropy: CallLists.entropy
        case .source: CallLists.source
        case .destination: CallLists.destination
        case .sender: CallLists.sender
        case .acceptor: CallLists.acceptor
        case .receiver: CallLists.receiver
        case .digest: CallLists.digest
        case .mapper: CallLists.mapper
        }
    }

    /// What the starter allows, since the threads that it makes inherit its filter.
    fileprivate static var inherited: Calls {
        allCases.filter { $0 != .control && $0 != .starter }.flatMap(\.ownRules)
    }
}

/// A list for each kind of thread, without what all may call.
private enum CallLists {
    private typealias Groups = CallGroups

    /// Builds, boots, changes and ends guests; listens for the API and for migrations; reads
    /// certificates; writes timelines; asks what the process has used; lets others go first.
    @CallList
    static var control: Calls {
        Groups.guest
        Groups.machineMaking
        Groups.names
        Groups.accepting
        Calls.any("ftruncate", "getrusage", "setpriority")
    }

    /// Makes threads, which inherit its filter.
    @CallList
    static var starter: Calls {
        ThreadKind.inherited.filter { $0.name != "ioctl" }
        // Each thread's own filter compares the requests: to do that here as well would cost time
        // at each entry to the guest.
        Calls.any("ioctl")
        // What threads begin with: their names, and their own filters.
        Calls.any("set_robust_list", "rseq")
        Calls.only("prctl", argument: 0, CLINUX_PR_SET_NAME)
        Calls.only("seccomp", argument: 0, SECCOMP_SET_MODE_FILTER)
        // Only threads of this process, as glibc makes them. The flags of clone3 are in memory,
        // where a filter cannot look; without it glibc takes clone.
        Calls.only("clone", argument: 0, CLINUX_THREAD_FLAGS)
        [SystemCallRule(name: "clone3", outcome: .missing)]
    }

    /// Clients, on a socket that is there already.
    @CallList
    static var api: Calls {
        Groups.polling
        Groups.accepting
        Calls.any("unlink")
    }

    /// Timers of the machine, standard input, and the sockets and terminals behind serial ports;
    /// the interrupts of all these.
    @CallList
    static var devices: Calls {
        Groups.events
        Groups.accepting
        Groups.interrupts
    }

    /// The guest, and what it does to the machine by itself: interrupts, doorbells, and drivers
    /// that begin and end to use a device. Its registers, for the report of a crash.
    @CallList
    static var vcpu: Calls {
        Calls.requests(
            CLINUX_KVM_RUN, CLINUX_KVM_NMI, CLINUX_KVM_RESET_DIRTY_RINGS, CLINUX_KVM_GET_REGS)
        Groups.interrupts
        Groups.deviceStart
    }

    /// Requests, to a file or block device that is open.
    @CallList
    static var disk: Calls {
        Groups.polling
        Groups.diskContents
    }

    /// Frames, and what the driver asks of the tap on the control queue.
    @CallList
    static var net: Calls {
        Groups.polling
        Calls.any("readv", "writev", "timerfd_settime")
        Calls.requests(CLINUX_TUNSETOFFLOAD, CLINUX_TUNSETQUEUE)
    }

    /// Bytes, to and from what the line has open.
    @CallList
    static var console: Calls {
        Groups.polling
        Calls.any("timerfd_settime")
    }

    /// Random bytes, from what is open.
    @CallList
    static var entropy: Calls {
        Groups.polling
        Calls.any("readv")
    }

    /// Stops the guest, gives its backends away or takes them back, and hands its descriptors over.
    @CallList
    static var source: Calls {
        Groups.guest
        Groups.names
        Calls.any("pidfd_open")
    }

    /// Builds the guest and binds its backends.
    @CallList
    static var destination: Calls {
        Groups.guest
        Groups.machineMaking
        Groups.accepting
    }

    /// Makes connections, and watches the process at the other end of one on this host. Looks for
    /// parts of the memory that were never touched, and has writes recorded anew to what it sends.
    @CallList
    static var sender: Calls {
        Calls.requests(CLINUX_KVM_CLEAR_DIRTY_LOG)
        // The last of them may be the last that holds a guest which has left, and takes it apart.
        Groups.interrupts
        Groups.events
        Groups.names
        Calls.any("pidfd_open")
    }

    /// Takes connections that arrive, and watches the processes at their other ends.
    @CallList
    static var acceptor: Calls {
        Groups.events
        Groups.accepting
        Calls.any("unlink", "pidfd_open")
    }

    /// Serves connections. Pages that are all zero are given back to the kernel.
    @CallList
    static var receiver: Calls {
        Groups.events
        Groups.accepting
        Calls.any("fallocate", "lseek")
    }

    /// Reads memory, without what was never touched.
    @CallList
    static var digest: Calls {
        Calls.any("lseek")
    }

    /// Has KVM map memory. May be the last that holds a machine, and takes it apart.
    @CallList
    static var mapper: Calls {
        Calls.requests(CLINUX_KVM_PRE_FAULT_MEMORY)
        Groups.interrupts
        Groups.polling
    }
}
