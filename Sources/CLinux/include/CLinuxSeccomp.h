// Filters of system calls (seccomp(2)), and the report of a call that one of them denies.
#ifndef CLINUX_SECCOMP_H
#define CLINUX_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

enum : unsigned int {
    CLINUX_SECCOMP_TRAP = SECCOMP_RET_TRAP,
    CLINUX_SECCOMP_NOTIFY = SECCOMP_RET_USER_NOTIF,
};

enum : int {
    /// What a process ends with after a denied call: what a shell reports for SIGSYS.
    CLINUX_DENIED_STATUS = 128 + 31,
    /// The flags with which glibc's `pthread_create` calls `clone`.
    CLINUX_THREAD_FLAGS = 0x3d0f00,
    /// The request of `prctl` by which a thread names itself.
    CLINUX_PR_SET_NAME = 15,
};

/// 0 when the kernel has filters and knows this outcome (SECCOMP_RET_*).
int clinux_seccomp_knows(unsigned int outcome);

/// Programs that the calling thread and its children start get no more rights than it has, for
/// ever. Without that only privileged processes can have filters.
int clinux_keep_privileges(void);

/// Lets the allocator find out now how memory is committed (/proc/sys/vm/overcommit_memory). By
/// itself glibc's looks when first a thread other than the first gives much memory back, and most
/// threads may not open files.
int clinux_settle_allocator(void);

/// Puts the calling thread under one more filter, for ever. `notes`: the kernel's log has whatever
/// it does not simply allow.
int clinux_seccomp_install(
    const struct sock_filter *_Nonnull program, unsigned short count, _Bool notes);

/// The same for a filter that waits at some calls: returns a descriptor, readable when a call waits,
/// hung up when the thread is gone.
int clinux_seccomp_watch(const struct sock_filter *_Nonnull program, unsigned short count);

/// Lets a call go on that waits, after a line in the log about it; `kind_number` is below 64. Each
/// call is reported once for each kind, but requests (`ioctl`) are all told.
int clinux_pass_watched_call(
    int fd, const char *_Nonnull name, const char *_Nonnull kind, unsigned int kind_number);

/// Gives the system call of a number its name, for the report. Before threads are filtered.
void clinux_name_system_call(unsigned int number, const char *_Nonnull name);

/// Says who the calling thread is, for the report: a name, and the kind that its filter is for.
void clinux_describe_thread(const char *_Nonnull name, const char *_Nonnull kind);

/// From now on a denied call ends the process with CLINUX_DENIED_STATUS, after a line to `log` in
/// the form of the log's other lines; `start` is when their clock began, in nanoseconds of
/// CLOCK_MONOTONIC. Watched calls are told there, too.
int clinux_report_denied_calls(int log, uint64_t start);

#endif
