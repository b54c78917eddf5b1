// Memory, as the compiler's own functions reach it.
#ifndef CLINUX_MEMORY_H
#define CLINUX_MEMORY_H

/// Asks for a line of the cache to be fetched, with its address translation. Any address will do:
/// one that is not mapped is ignored.
static inline void clinux_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }

#endif
