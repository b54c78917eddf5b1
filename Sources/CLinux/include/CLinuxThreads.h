// Threads, the signal that interrupts them, and namespaces.
#ifndef CLINUX_THREADS_H
#define CLINUX_THREADS_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/// The signal that interrupts a blocking system call of one thread. SIGRTMIN is a function call
/// in glibc, because the C library keeps the first real-time signals for itself.
static inline int clinux_kick_signal(void) { return SIGRTMIN; }

static inline void clinux_ignore_kick(int signal) { (void)signal; }

/// Installs a handler that does nothing, without SA_RESTART: the interrupted call returns EINTR.
static inline int clinux_install_kick(void) {
    struct sigaction action = {.sa_handler = clinux_ignore_kick};
    sigemptyset(&action.sa_mask);
    return sigaction(clinux_kick_signal(), &action, (struct sigaction *)0) < 0 ? -errno : 0;
}

/// Leaves the calling thread only the kick and the signals that report its own faults, so that
/// signals for the process reach whoever waits for them.
static inline void clinux_mask_worker_signals(void) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t mask;
    sigfillset(&mask);
    for (size_t index = 0; index < sizeof own / sizeof own[0]; index++) {
        sigdelset(&mask, own[index]);
    }
    sigdelset(&mask, clinux_kick_signal());
    pthread_sigmask(SIG_SETMASK, &mask, (sigset_t *)0);
}

/// Names the calling thread. -ERANGE for more than 15 bytes.
int clinux_name_own_thread(const char *_Nonnull name);

/// Gives the calling thread a descriptor table of its own in which only 0, 1 and 2 are left; those
/// of others are not even copied for a moment.
int clinux_unshare_descriptors(void);

/// Moves the calling thread into a new network namespace of its own.
int clinux_unshare_network(void);

/// Moves the calling thread into the network namespace behind `fd`.
int clinux_enter_network(int fd);

#endif
