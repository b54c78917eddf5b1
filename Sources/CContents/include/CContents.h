// Compression and hashes of memory contents: what of zstd, LZ4 and xxHash is used, as functions
// whose sizes and errors Swift can check. Nothing here allocates after a context was made, and
// nothing writes beyond the capacity that it is given.
#ifndef CCONTENTS_H
#define CCONTENTS_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// A context for compressing: of LZ4's state and of zstd's. NULL when there is no memory for it.
void *_Nullable ccontents_compressor_make(void);
void ccontents_compressor_free(void *compressor);

/// Compresses `count` bytes at once. Returns the size of the result, or 0 when it would be larger
/// than `capacity`.
size_t ccontents_lz4_compress(
    void *compressor, const void *bytes, size_t count, void *target, size_t capacity);
size_t ccontents_zstd_compress(
    void *compressor, int level, const void *bytes, size_t count, void *target, size_t capacity);

/// A context for decompressing. NULL when there is no memory for it.
void *_Nullable ccontents_decompressor_make(void);
void ccontents_decompressor_free(void *decompressor);

/// Decompresses at most `capacity` bytes. Returns how many there were, or -1 when the input is
/// damaged or has more.
long ccontents_lz4_decompress(const void *bytes, size_t count, void *target, size_t capacity);
long ccontents_zstd_decompress(
    void *decompressor, const void *bytes, size_t count, void *target, size_t capacity);

/// XXH3 with 64 bits.
uint64_t ccontents_hash(const void *bytes, size_t count, uint64_t seed);

/// The same over several runs of bytes, without a seed. NULL when there is no memory for it.
void *_Nullable ccontents_hasher_make(void);
void ccontents_hasher_free(void *hasher);
void ccontents_hasher_reset(void *hasher);
void ccontents_hasher_update(void *hasher, const void *bytes, size_t count);
uint64_t ccontents_hasher_digest(const void *hasher);

#pragma clang assume_nonnull end

#endif
