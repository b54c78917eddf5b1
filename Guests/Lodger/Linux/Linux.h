// The parts of the C library that Lodger uses, and what Swift cannot say of it: macros with
// arguments, variadic functions and unions.

#ifndef LODGER_LINUX_H
#define LODGER_LINUX_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/// From now on SIGTERM and SIGINT only call the handler, and interrupt system calls that wait.
static inline void lodger_catch_stop(void (*handler)(int)) {
    struct sigaction action = {0};
    action.sa_handler = handler;
    sigaction(SIGTERM, &action, 0);
    sigaction(SIGINT, &action, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
}

static inline int lodger_error(void) { return errno; }

static inline int lodger_open(const char *path, int flags) { return open(path, flags, 0644); }

/// The monotonic (or other) clock in nanoseconds.
static inline int64_t lodger_clock(int clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/// Sleeps until the monotonic clock shows `time`, in nanoseconds, or a signal comes.
static inline void lodger_sleep_until(int64_t time) {
    struct timespec until = {.tv_sec = time / 1000000000LL, .tv_nsec = time % 1000000000LL};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0);
}

/// A TCP socket that is connected to `address`, or -1.
static inline int lodger_connect(const char *address, uint16_t port) {
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, address, &peer.sin_addr) != 1) return -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0) return fd;
    close(fd);
    return -1;
}

/// A TCP socket that listens at `port` of all addresses, or -1.
static inline int lodger_listen(uint16_t port) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) == 0 && listen(fd, 8) == 0) return fd;
    close(fd);
    return -1;
}

/// The next connection, or -1.
static inline int lodger_accept(int listener) { return accept(listener, 0, 0); }

/// A socket that receives every frame on the interface, or -1.
static inline int lodger_frames(const char *interface) {
    struct sockaddr_ll here = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    here.sll_ifindex = (int)if_nametoindex(interface);
    if (here.sll_ifindex == 0) return -1;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (fd < 0) return -1;
    if (bind(fd, (struct sockaddr *)&here, sizeof here) == 0) return fd;
    close(fd);
    return -1;
}

/// A raw ICMP socket to an address, or -1.
static inline int lodger_echo_socket(const char *address) {
    struct sockaddr_in peer = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, address, &peer.sin_addr) != 1) return -1;
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0) return fd;
    close(fd);
    return -1;
}

/// Sends an echo request with the identifier 0x4D4C.
static inline long lodger_send_echo(int fd, uint16_t sequence) {
    struct icmphdr request = {.type = ICMP_ECHO};
    request.un.echo.id = htons(0x4D4C);
    request.un.echo.sequence = htons(sequence);
    uint32_t sum = request.type + (uint32_t)request.un.echo.id + request.un.echo.sequence;
    sum = (sum & 0xFFFF) + (sum >> 16);
    request.checksum = (uint16_t)~((sum & 0xFFFF) + (sum >> 16));
    return send(fd, &request, sizeof request, MSG_DONTWAIT);
}

/// Above zero when something can be read within `nanoseconds`.
static inline int lodger_wait_readable(int fd, int64_t nanoseconds) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    struct timespec limit = {.tv_sec = nanoseconds / 1000000000LL,
                             .tv_nsec = nanoseconds % 1000000000LL};
    return ppoll(&wait, 1, &limit, 0);
}

/// Discards or zeroes the first `length` bytes of a block device.
static inline int lodger_clear_blocks(int fd, uint64_t length, int zeroes) {
    uint64_t range[2] = {0, length};
    return ioctl(fd, zeroes ? BLKZEROOUT : BLKDISCARD, range);
}

#endif
