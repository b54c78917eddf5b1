// Bytes and descriptors over UNIX sockets. The CMSG_* macros exist only in C.
#ifndef CLINUX_SOCKETS_H
#define CLINUX_SOCKETS_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum : int {
    CLINUX_STREAM_SOCKET = SOCK_STREAM | SOCK_CLOEXEC,
    CLINUX_STREAM_SOCKET_NONBLOCKING = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
};

// SCM_MAX_FD of the kernel (include/net/scm.h): more in one message is EINVAL.
enum { CLINUX_DESCRIPTORS_MAX = 253 };

/// Sends bytes and with their first byte `descriptors`. `count` is 0...CLINUX_DESCRIPTORS_MAX.
/// Returns the number of bytes taken, or `-errno`; the descriptors stay the caller's.
static inline long clinux_send(
    int fd, const struct iovec *_Nonnull vectors, size_t vector_count,
    const int *_Nullable descriptors, size_t count) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(CLINUX_DESCRIPTORS_MAX * sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = (struct iovec *)vectors, .msg_iovlen = vector_count};
    if (count > CLINUX_DESCRIPTORS_MAX) {
        return -EINVAL;
    }
    if (count > 0) {
        memset(&control, 0, CMSG_SPACE(count * sizeof(int)));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? -errno : sent;
}

/// Receives bytes and at most `capacity` descriptors, which are close-on-exec and become the
/// caller's. `*count` is how many there were. More than `capacity`, or a message whose descriptors
/// the kernel had to cut, closes all of them and returns -EMSGSIZE.
static inline long clinux_receive(
    int fd, const struct iovec *_Nonnull vectors, size_t vector_count, int *_Nullable descriptors,
    size_t capacity, size_t *_Nonnull count) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(CLINUX_DESCRIPTORS_MAX * sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = (struct iovec *)vectors,
        .msg_iovlen = vector_count,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    *count = 0;
    ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (received < 0) {
        return -errno;
    }
    int surplus = (message.msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t length = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < length; index++) {
            int passed;
            memcpy(&passed, CMSG_DATA(header) + index * sizeof(int), sizeof passed);
            if (*count < capacity) {
                descriptors[(*count)++] = passed;
            } else {
                close(passed);
                surplus = 1;
            }
        }
    }
    if (surplus) {
        while (*count > 0) {
            close(descriptors[--*count]);
        }
        return -EMSGSIZE;
    }
    return received;
}

/// Accepts a connection whose descriptor is close-on-exec and waits.
int clinux_accept(int fd);

/// The address of a UNIX socket at `path`. Returns its length, or -ENAMETOOLONG.
static inline int clinux_unix_address(
    struct sockaddr_un *_Nonnull address, const char *_Nonnull path) {
    size_t length = strlen(path);
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (length == 0) {
        return -EINVAL;
    }
    if (length >= sizeof address->sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(address->sun_path, path, length + 1);
    return (int)sizeof *address;
}

#endif
