// What runs after a denied call works in a signal handler on a thread of which nothing is known:
// it takes no lock, allocates nothing, and makes only calls that every filter allows. What lets
// watched calls pass does not allocate either: the thread that waits may be in the allocator.
#define _GNU_SOURCE 1
#include "CLinux.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

// signal.h of glibc has them under this name only for its own SI_* set.
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

_Static_assert(CLINUX_PR_SET_NAME == PR_SET_NAME, "linux/prctl.h");
_Static_assert(CLINUX_DENIED_STATUS == 128 + SIGSYS, "signal.h");

enum { CALL_COUNT = 512, NAME_SIZE = 32, KIND_COUNT = 64 };

static char call_names[CALL_COUNT][NAME_SIZE];
static int report_log = -1;
static uint64_t report_start;
/// Which calls of which kinds of threads were told; used by one thread.
static unsigned char told[KIND_COUNT][CALL_COUNT];
static __thread char thread_name[NAME_SIZE];
static __thread char thread_kind[NAME_SIZE];

static void copy_name(char *to, const char *from) {
    strncpy(to, from, NAME_SIZE - 1);
    to[NAME_SIZE - 1] = 0;
}

int clinux_seccomp_knows(unsigned int outcome) {
    long result = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0u, &outcome);
    return result < 0 ? -errno : 0;
}

int clinux_keep_privileges(void) {
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/// Takes more from the thread's part of the heap than the allocator keeps when it comes back
/// (mallopt(3): M_TRIM_THRESHOLD, 128 KiB), in pieces that it does not map one by one.
static void *grow_and_shrink_heap(void *argument) {
    enum { COUNT = 16, SIZE = 100 << 10 };
    void *volatile blocks[COUNT];
    for (int index = 0; index < COUNT; index++) {
        blocks[index] = malloc(SIZE);
    }
    for (int index = COUNT; index > 0; index--) {
        free(blocks[index - 1]);
    }
    return argument;
}

int clinux_settle_allocator(void) {
    pthread_t thread;
    int result = pthread_create(&thread, 0, grow_and_shrink_heap, 0);
    return result == 0 ? -pthread_join(thread, 0) : -result;
}

int clinux_seccomp_install(
    const struct sock_filter *program, unsigned short count, _Bool notes) {
    struct sock_fprog description = {.len = count, .filter = (struct sock_filter *)program};
    unsigned long flags = notes ? SECCOMP_FILTER_FLAG_LOG : 0;
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &description);
    return result < 0 ? -errno : 0;
}

int clinux_seccomp_watch(const struct sock_filter *program, unsigned short count) {
    struct sock_fprog description = {.len = count, .filter = (struct sock_filter *)program};
    long result = syscall(
        SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &description);
    return result < 0 ? -errno : (int)result;
}

void clinux_name_system_call(unsigned int number, const char *name) {
    if (number < CALL_COUNT) {
        copy_name(call_names[number], name);
    }
}

void clinux_describe_thread(const char *name, const char *kind) {
    copy_name(thread_name, name);
    copy_name(thread_kind, kind);
}

/// A line that grows; what does not fit is left out.
struct line {
    char bytes[512];
    size_t count;
};

static void append(struct line *line, const char *text) {
    while (*text && line->count < sizeof line->bytes - 1) {
        line->bytes[line->count++] = *text++;
    }
}

static void append_number(struct line *line, uint64_t value, unsigned base, unsigned width) {
    char digits[24];
    size_t count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0 || count < width);
    while (count > 0 && line->count < sizeof line->bytes - 1) {
        line->bytes[line->count++] = digits[--count];
    }
}

static void append_time(struct line *line) {
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t milliseconds =
        ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - report_start) / 1000000u;
    append_number(line, milliseconds / 1000, 10, 1);
    append(line, ".");
    append_number(line, milliseconds % 1000, 10, 3);
}

/// "The thread vcpu0 (filter vcpu) made a system call <verb>: openat (257) with 0x1, 0x2, 0x3"
static void append_call(
    struct line *line, const char *name, const char *kind, const char *verb, unsigned int number,
    uint64_t first, uint64_t second, uint64_t third) {
    append(line, "The thread ");
    append(line, name[0] ? name : "without a name");
    append(line, " (filter ");
    append(line, kind[0] ? kind : "unknown");
    append(line, ") made a system call ");
    append(line, verb);
    append(line, ": ");
    append(line, number < CALL_COUNT && call_names[number][0] ? call_names[number] : "call");
    append(line, " (");
    append_number(line, number, 10, 1);
    append(line, ") with 0x");
    append_number(line, first, 16, 1);
    append(line, ", 0x");
    append_number(line, second, 16, 1);
    append(line, ", 0x");
    append_number(line, third, 16, 1);
}

/// Nothing can be done where even this fails; the kernel has its own note of what it denies.
static void write_line(struct line *line) {
    line->bytes[line->count++] = '\n';
    ssize_t written = write(report_log, line->bytes, line->count);
    (void)written;
}

static void report(int signal, siginfo_t *information, void *context) {
    (void)signal;
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct line line = {.count = 0};
    append_time(&line);
    append(&line, " critical: ");
    if (information->si_code == SYS_SECCOMP) {
        append_call(
            &line, thread_name, thread_kind, "that is denied to it",
            (unsigned int)information->si_syscall, (uint64_t)registers[REG_RDI],
            (uint64_t)registers[REG_RSI], (uint64_t)registers[REG_RDX]);
        append(&line, ". The process ends");
    } else {
        append(&line, "Somebody sent SIGSYS. The process ends");
    }
    write_line(&line);
    _exit(CLINUX_DENIED_STATUS);
}

int clinux_pass_watched_call(
    int fd, const char *name, const char *kind, unsigned int kind_number) {
    struct seccomp_notif call;
    memset(&call, 0, sizeof call);
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
        return -errno;
    }
    unsigned int number = (unsigned int)call.data.nr;
    unsigned char *is_told =
        number < CALL_COUNT && kind_number < KIND_COUNT ? &told[kind_number][number] : 0;
    if (!is_told || !*is_told || number == SYS_ioctl) {
        struct line line = {.count = 0};
        append_time(&line);
        append(&line, " warning: ");
        append_call(
            &line, name, kind, "that --seccomp true denies to it", number, call.data.args[0],
            call.data.args[1], call.data.args[2]);
        write_line(&line);
    }
    if (is_told) {
        *is_told = 1;
    }
    struct seccomp_notif_resp answer = {
        .id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0 ? -errno : 0;
}

int clinux_report_denied_calls(int log, uint64_t start) {
    struct sigaction action = {.sa_sigaction = report, .sa_flags = SA_SIGINFO};
    report_log = log;
    report_start = start;
    sigfillset(&action.sa_mask);
    return sigaction(SIGSYS, &action, (struct sigaction *)0) < 0 ? -errno : 0;
}
