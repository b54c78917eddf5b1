#include "CSeccomp.h"

#include <errno.h>

_Static_assert(CSECCOMP_MISSING == SCMP_ACT_ERRNO(ENOSYS), "errno.h");
