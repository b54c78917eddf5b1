// The shims that need declarations beyond the C library's default ones.
#define _GNU_SOURCE 1
#include "CLinux.h"

#include <sched.h>
#include <sys/mman.h>

_Static_assert(CLINUX_O_DIRECT == O_DIRECT, "fcntl.h");
_Static_assert(CLINUX_MADV_POPULATE_WRITE == MADV_POPULATE_WRITE, "sys/mman.h");
_Static_assert(CLINUX_OFD_GETLK == F_OFD_GETLK && CLINUX_OFD_SETLK == F_OFD_SETLK, "fcntl.h");
_Static_assert(CLINUX_ADD_SEALS == F_ADD_SEALS && CLINUX_GET_SEALS == F_GET_SEALS, "fcntl.h");
_Static_assert(
    CLINUX_THREAD_FLAGS
        == (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM
            | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID),
    "sched.h");

const char *clinux_error_text(int number) { return strerrordesc_np(number); }

const char *clinux_error_name(int number) { return strerrorname_np(number); }

static inline long negated(long result) { return result < 0 ? -errno : result; }

int clinux_memfd_create(const char *name, unsigned int flags) {
    return (int)negated(memfd_create(name, flags));
}

int clinux_allocate(int fd, long offset, long length) {
    return (int)negated(fallocate(fd, 0, offset, length));
}

int clinux_zero_range(int fd, long offset, long length) {
    return (int)negated(
        fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length));
}

int clinux_punch_hole(int fd, long offset, long length) {
    return (int)negated(
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
}

long clinux_seek_data(int fd, long offset) { return negated(lseek(fd, offset, SEEK_DATA)); }

long clinux_seek_hole(int fd, long offset) { return negated(lseek(fd, offset, SEEK_HOLE)); }

int clinux_add_seals(int fd, int seals) { return (int)negated(fcntl(fd, F_ADD_SEALS, seals)); }

int clinux_get_seals(int fd) { return (int)negated(fcntl(fd, F_GET_SEALS)); }

int clinux_lock(int fd, int type) {
    struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET};
    return (int)negated(fcntl(fd, F_OFD_SETLK, &lock));
}

int clinux_lock_conflict(int fd, int type, pid_t *holder) {
    struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0) {
        return -errno;
    }
    *holder = lock.l_pid;
    return lock.l_type;
}

int clinux_poll(struct pollfd *entry, const struct timespec *timeout) {
    return (int)negated(ppoll(entry, 1, timeout, (const sigset_t *)0));
}

int clinux_poll_many(
    struct pollfd *entries, unsigned long count, const struct timespec *timeout) {
    return (int)negated(ppoll(entries, count, timeout, (const sigset_t *)0));
}

int clinux_epoll_wait(
    int fd, struct epoll_event *events, int capacity, const struct timespec *timeout) {
    return (int)negated(epoll_pwait2(fd, events, capacity, timeout, (const sigset_t *)0));
}

int clinux_accept(int fd) {
    return (int)negated(accept4(fd, (struct sockaddr *)0, (socklen_t *)0, SOCK_CLOEXEC));
}

int clinux_name_own_thread(const char *name) {
    return -pthread_setname_np(pthread_self(), name);
}

int clinux_unshare_descriptors(void) {
    return (int)negated(close_range(3, ~0U, CLOSE_RANGE_UNSHARE));
}

int clinux_unshare_network(void) { return (int)negated(unshare(CLONE_NEWNET)); }

int clinux_enter_network(int fd) { return (int)negated(setns(fd, CLONE_NEWNET)); }
