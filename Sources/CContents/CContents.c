#include "CContents.h"

#include <limits.h>
#include <lz4.h>
#include <stdlib.h>
#include <zstd.h>

// The hash is compiled in, so that one of 4 KiB is a call and no lookup in a library.
#define XXH_INLINE_ALL
#include <xxhash.h>

struct compressor {
    ZSTD_CCtx *zstd;
    void *lz4;
};

void *ccontents_compressor_make(void) {
    struct compressor *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->zstd = ZSTD_createCCtx();
    made->lz4 = malloc((size_t)LZ4_sizeofState());
    if (made->zstd && made->lz4) return made;
    ccontents_compressor_free(made);
    return NULL;
}

void ccontents_compressor_free(void *compressor) {
    struct compressor *made = compressor;
    ZSTD_freeCCtx(made->zstd);
    free(made->lz4);
    free(made);
}

size_t ccontents_lz4_compress(
    void *compressor, const void *bytes, size_t count, void *target, size_t capacity) {
    struct compressor *made = compressor;
    if (count > LZ4_MAX_INPUT_SIZE || capacity > INT_MAX) return 0;
    int size = LZ4_compress_fast_extState(
        made->lz4, bytes, target, (int)count, (int)capacity, 1);
    return size > 0 ? (size_t)size : 0;
}

size_t ccontents_zstd_compress(
    void *compressor, int level, const void *bytes, size_t count, void *target, size_t capacity) {
    struct compressor *made = compressor;
    size_t size = ZSTD_compressCCtx(made->zstd, target, capacity, bytes, count, level);
    return ZSTD_isError(size) ? 0 : size;
}

void *ccontents_decompressor_make(void) { return ZSTD_createDCtx(); }

void ccontents_decompressor_free(void *decompressor) { ZSTD_freeDCtx(decompressor); }

long ccontents_lz4_decompress(const void *bytes, size_t count, void *target, size_t capacity) {
    if (count > INT_MAX || capacity > INT_MAX) return -1;
    int size = LZ4_decompress_safe(bytes, target, (int)count, (int)capacity);
    return size < 0 ? -1 : size;
}

long ccontents_zstd_decompress(
    void *decompressor, const void *bytes, size_t count, void *target, size_t capacity) {
    size_t size = ZSTD_decompressDCtx(decompressor, target, capacity, bytes, count);
    return ZSTD_isError(size) || size > LONG_MAX ? -1 : (long)size;
}

uint64_t ccontents_hash(const void *bytes, size_t count, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes, count, seed);
}

void *ccontents_hasher_make(void) {
    XXH3_state_t *made = XXH3_createState();
    if (made) XXH3_64bits_reset(made);
    return made;
}

void ccontents_hasher_free(void *hasher) { XXH3_freeState(hasher); }

void ccontents_hasher_reset(void *hasher) { XXH3_64bits_reset(hasher); }

void ccontents_hasher_update(void *hasher, const void *bytes, size_t count) {
    XXH3_64bits_update(hasher, bytes, count);
}

uint64_t ccontents_hasher_digest(const void *hasher) { return XXH3_64bits_digest(hasher); }
