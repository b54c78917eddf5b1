// Taps and network interfaces.
#ifndef CLINUX_NETWORK_H
#define CLINUX_NETWORK_H

#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
_Static_assert(TUN_F_USO4 == 0x20 && TUN_F_USO6 == 0x40, "linux/if_tun.h since 6.2");

enum : unsigned long {
    CLINUX_TUNSETIFF = TUNSETIFF,
    CLINUX_TUNGETIFF = TUNGETIFF,
    CLINUX_TUNSETPERSIST = TUNSETPERSIST,
    CLINUX_TUNSETOFFLOAD = TUNSETOFFLOAD,
    CLINUX_TUNSETVNETHDRSZ = TUNSETVNETHDRSZ,
    CLINUX_TUNGETVNETHDRSZ = TUNGETVNETHDRSZ,
    CLINUX_TUNSETVNETLE = TUNSETVNETLE,
    CLINUX_TUNSETQUEUE = TUNSETQUEUE,
    CLINUX_SIOCGIFFLAGS = SIOCGIFFLAGS,
    CLINUX_SIOCSIFFLAGS = SIOCSIFFLAGS,
    CLINUX_SIOCGIFMTU = SIOCGIFMTU,
    CLINUX_SIOCSIFMTU = SIOCSIFMTU,
    CLINUX_SIOCGIFHWADDR = SIOCGIFHWADDR,
    CLINUX_SIOCSIFHWADDR = SIOCSIFHWADDR,
    CLINUX_SIOCSIFADDR = SIOCSIFADDR,
    CLINUX_SIOCSIFNETMASK = SIOCSIFNETMASK,
};

/// Puts `name` into an otherwise empty request. Returns -ENAMETOOLONG if it does not fit.
static inline int clinux_name_interface(
    struct ifreq *_Nonnull request, const char *_Nonnull name) {
    memset(request, 0, sizeof *request);
    size_t length = strlen(name);
    if (length >= IFNAMSIZ) {
        return -ENAMETOOLONG;
    }
    memcpy(request->ifr_name, name, length + 1);
    return 0;
}

#endif
