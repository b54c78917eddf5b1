// The kernel's interface as far as Swift cannot reach it itself: variadic calls, macros, and
// structures of headers which are not in Swift's own map of the C library.
//
// House rules: functions take what they need, return a value or `-errno` (never -1), and own
// nothing. Whoever passes a descriptor keeps it unless the comment says so. They are
// `static inline` where the C library's default declarations suffice. Those that need
// _GNU_SOURCE live in CLinux.c: defining it here would make types such as fd_set differ from
// Swift's own view of the C library.
#ifndef CLINUX_H
#define CLINUX_H

#include "CLinuxErrors.h"
#include "CLinuxIoctl.h"
#include "CLinuxFiles.h"
#include "CLinuxSockets.h"
#include "CLinuxMemory.h"
#include "CLinuxThreads.h"
#include "CLinuxSeccomp.h"
#include "CLinuxNetwork.h"
#include "CLinuxKVM.h"

#endif
