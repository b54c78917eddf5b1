internal import CContents
public import LinuxSystem

/// Compresses blocks, one after the other, without allocating.
///
/// What it reads must not change meanwhile: contents of a running guest are copied first.
@safe
public struct BlockCompressor: ~Copyable {
    // SAFETY: made in `init`, freed in `deinit`, and the value cannot be copied.
    @unsafe private let context: UnsafeMutableRawPointer

    /// Makes the contexts, some 100 KiB and more with the first block.
    public init() throws(ContentError) {
        guard let made = unsafe ccontents_compressor_make() else {
            throw .outOfMemory(bytes: 1 << 20)
        }
        unsafe context = made
    }

    deinit {
        unsafe ccontents_compressor_free(context)
    }

    /// Compresses a block into the start of `target`.
    ///
    /// - Returns: the compressed size; nil when it does not become smaller than the block or does
    ///   not fit.
    public mutating func compress(
        _ block: MemorySegment, with method: CompressionMethod, into target: MemorySegment
    ) -> Int? {
        let capacity = min(target.count, block.count - 1)
        guard capacity > 0 else { return nil }
        // SAFETY: both runs are as long as said.
        let size =
            switch method {
            case .lz4:
                unsafe ccontents_lz4_compress(
                    context, block.baseAddress, block.count, target.baseAddress, capacity)
            case .zstd:
                unsafe ccontents_zstd_compress(
                    context, CompressionMethod.zstdLevel, block.baseAddress, block.count,
                    target.baseAddress, capacity)
            }
        return size > 0 ? size : nil
    }
}

/// Decompresses blocks from a peer that is not trusted, one after the other, without allocating.
@safe
public struct BlockDecompressor: ~Copyable {
    // SAFETY: made in `init`, freed in `deinit`, and the value cannot be copied.
    @unsafe private let context: UnsafeMutableRawPointer

    /// Makes the context, some 100 KiB; what a peer sends never makes it grow.
    public init() throws(ContentError) {
        guard let made = unsafe ccontents_decompressor_make() else {
            throw .outOfMemory(bytes: 1 << 17)
        }
        unsafe context = made
    }

    deinit {
        unsafe ccontents_decompressor_free(context)
    }

    /// Decompresses a block, which must fill `target` exactly.
    public mutating func decompress(
        _ stored: MemorySegment, with method: CompressionMethod, into target: MemorySegment
    ) throws(ContentError) {
        // SAFETY: both runs are as long as said; nothing is written beyond the second.
        let size =
            switch method {
            case .lz4:
                unsafe ccontents_lz4_decompress(
                    stored.baseAddress, stored.count, target.baseAddress, target.count)
            case .zstd:
                unsafe ccontents_zstd_decompress(
                    context, stored.baseAddress, stored.count, target.baseAddress, target.count)
            }
        guard size >= 0 else { throw .damaged(method: method, storedBytes: stored.count) }
        guard size == target.count else {
            throw .wrongLength(method: method, expected: target.count, actual: size)
        }
    }
}
