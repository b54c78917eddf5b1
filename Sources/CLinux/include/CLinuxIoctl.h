// `ioctl` by the shape of its third argument, because Swift does not import variadic functions.
#ifndef CLINUX_IOCTL_H
#define CLINUX_IOCTL_H

#include <errno.h>
#include <sys/ioctl.h>

/// For requests without an argument, and for those that take a number instead of a pointer.
static inline int clinux_ioctl_value(int fd, unsigned long request, unsigned long value) {
    int result = ioctl(fd, request, value);
    return result < 0 ? -errno : result;
}

/// For requests that read or write a structure. Its size must be what the request expects.
static inline int clinux_ioctl_pointer(int fd, unsigned long request, void *_Nonnull argument) {
    int result = ioctl(fd, request, argument);
    return result < 0 ? -errno : result;
}

/// For requests that only read a structure.
static inline int clinux_ioctl_constant(
    int fd, unsigned long request, const void *_Nonnull argument) {
    int result = ioctl(fd, request, argument);
    return result < 0 ? -errno : result;
}

#endif
