/// What a thread of the VMM is for. Each kind may make the system calls that its work needs and no
/// others, where a process has filters (`ThreadStarter`); module Confinement has the lists.
public enum ThreadKind: String, CaseIterable, Sendable {
    /// The process's first thread: carries out what the API asks for, builds and ends guests.
    case control
    /// Makes all other threads.
    case starter
    /// Serves the API's clients.
    case api
    /// Waits for the descriptors of devices that have no thread of their own.
    case devices
    /// Runs a vCPU.
    case vcpu
    /// Takes time from vCPUs.
    case throttle
    /// Serves a queue of a disk.
    case disk
    /// Serves a pair of queues of a network interface.
    case net
    /// Serves a virtio console.
    case console
    /// Serves a source of random bytes.
    case entropy
    /// Leads a migration at the source.
    case source
    /// Leads a migration at the destination.
    case destination
    /// Makes connections of a migration, and sends memory over one.
    case sender
    /// Accepts the connections of migrations.
    case acceptor
    /// Finds out what an accepted connection is for, and receives memory from it.
    case receiver
    /// Hashes guest memory.
    case digest
    /// Maps the memory of a guest that arrives ahead of its use.
    case mapper
}
