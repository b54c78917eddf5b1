// libseccomp, which turns lists of system calls into programs for the kernel's filter
// (seccomp_init(3), seccomp_rule_add(3)). What is missing in Swift's view of it: macros.
#ifndef CSECCOMP_H
#define CSECCOMP_H

#include <seccomp.h>

enum : unsigned int {
    CSECCOMP_ALLOW = SCMP_ACT_ALLOW,
    CSECCOMP_TRAP = SCMP_ACT_TRAP,
    CSECCOMP_NOTIFY = SCMP_ACT_NOTIFY,
    CSECCOMP_END_PROCESS = SCMP_ACT_KILL_PROCESS,
    /// A call that does not exist, as it would be with an older kernel (ENOSYS).
    CSECCOMP_MISSING = SCMP_ACT_ERRNO(38),
};

#endif
