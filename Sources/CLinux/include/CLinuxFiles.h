// Descriptors of the kernel's own objects, and locks that belong to an open file.
#ifndef CLINUX_FILES_H
#define CLINUX_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

// Macros with casts, which Swift does not import.
enum : unsigned int {
    CLINUX_MFD_CLOEXEC = MFD_CLOEXEC,
    CLINUX_MFD_ALLOW_SEALING = MFD_ALLOW_SEALING,
    CLINUX_MFD_HUGETLB = MFD_HUGETLB,
    CLINUX_MFD_HUGE_2MB = MFD_HUGE_2MB,
    CLINUX_MFD_HUGE_1GB = MFD_HUGE_1GB,
};

// Requests of pseudo terminals (ioctl_tty(2)) and block devices (linux/fs.h).
enum : unsigned long {
    CLINUX_TIOCSPTLCK = TIOCSPTLCK,
    CLINUX_TIOCGPTN = TIOCGPTN,
    CLINUX_TIOCGPTPEER = TIOCGPTPEER,
    CLINUX_BLKDISCARD = BLKDISCARD,
    CLINUX_BLKZEROOUT = BLKZEROOUT,
};

// Numbers of x86-64 that need _GNU_SOURCE or a newer header; CLinux.c compares them.
enum : int {
    CLINUX_O_DIRECT = 040000,
    CLINUX_MADV_POPULATE_WRITE = 23,
    CLINUX_OFD_GETLK = 36,
    CLINUX_OFD_SETLK = 37,
    CLINUX_ADD_SEALS = 1033,
    CLINUX_GET_SEALS = 1034,
};

enum : int {
    CLINUX_MAP_HUGE_2MB = 21 << MAP_HUGE_SHIFT,
    CLINUX_MAP_HUGE_1GB = 30 << MAP_HUGE_SHIFT,
    CLINUX_SFD_FLAGS = SFD_CLOEXEC | SFD_NONBLOCK,
    CLINUX_EFD_FLAGS = EFD_CLOEXEC | EFD_NONBLOCK,
    CLINUX_TFD_FLAGS = TFD_CLOEXEC | TFD_NONBLOCK,
    CLINUX_TIMER_ABSOLUTE = TFD_TIMER_ABSTIME,
};

int clinux_memfd_create(const char *_Nonnull name, unsigned int flags);

/// Takes the memory for a range of a file now.
int clinux_allocate(int fd, long offset, long length);

/// Frees a range of a file without changing its size; it reads as zeros afterwards.
int clinux_punch_hole(int fd, long offset, long length);

/// Makes a range of a file read as zeros without giving its space back.
int clinux_zero_range(int fd, long offset, long length);

/// Where data or a hole starts at or after `offset`; -ENXIO when there is none.
long clinux_seek_data(int fd, long offset);
long clinux_seek_hole(int fd, long offset);

/// Forbids operations on a memory file for ever (F_SEAL_*), and tells which are forbidden.
int clinux_add_seals(int fd, int seals);
int clinux_get_seals(int fd);

/// `ppoll` for one descriptor without a change of the signal mask. Null waits for ever.
/// Returns 0 when the time is over.
int clinux_poll(
    struct pollfd *_Nonnull entry, const struct timespec *_Nullable timeout);

/// The same for several descriptors; negative ones are passed over.
int clinux_poll_many(
    struct pollfd *_Nonnull entries, unsigned long count,
    const struct timespec *_Nullable timeout);

/// `epoll_pwait2` without a change of the signal mask. Null waits for ever.
int clinux_epoll_wait(
    int fd, struct epoll_event *_Nonnull events, int capacity,
    const struct timespec *_Nullable timeout);

static inline int clinux_eventfd(void) {
    int fd = eventfd(0, CLINUX_EFD_FLAGS);
    return fd < 0 ? -errno : fd;
}

static inline int clinux_timerfd(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, CLINUX_TFD_FLAGS);
    return fd < 0 ? -errno : fd;
}

static inline int clinux_signalfd(const sigset_t *_Nonnull signals) {
    int fd = signalfd(-1, signals, CLINUX_SFD_FLAGS);
    return fd < 0 ? -errno : fd;
}

// glibc 2.36 declares both in a header which C++ and some modules cannot include.
static inline int clinux_pidfd_open(pid_t process) {
    long fd = syscall(SYS_pidfd_open, process, 0u);
    return fd < 0 ? -errno : (int)fd;
}

static inline int clinux_pidfd_send_signal(int fd, int signal) {
    long result = syscall(SYS_pidfd_send_signal, fd, signal, (void *)0, 0u);
    return result < 0 ? -errno : 0;
}

/// `fcntl` with an integer argument.
static inline int clinux_fcntl_value(int fd, int command, int value) {
    int result = fcntl(fd, command, value);
    return result < 0 ? -errno : result;
}

/// A lock of the open file description over the whole file. `type` is F_RDLCK, F_WRLCK or F_UNLCK.
int clinux_lock(int fd, int type);

/// Which lock stands against one of `type`: F_RDLCK, F_WRLCK, or F_UNLCK when none does.
/// `holder` becomes the process, or -1 when the lock belongs to an open file description.
int clinux_lock_conflict(int fd, int type, pid_t *_Nonnull holder);

#endif
