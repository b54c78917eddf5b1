// Text of error numbers. glibc's variants with `_np` return constant strings: no buffer, no lock.
#ifndef CLINUX_ERRORS_H
#define CLINUX_ERRORS_H

/// "Permission denied" for EACCES, or null for a number that the C library does not know.
const char *_Nullable clinux_error_text(int number);

/// "EACCES" for EACCES, or null for a number that the C library does not know.
const char *_Nullable clinux_error_name(int number);

#endif
