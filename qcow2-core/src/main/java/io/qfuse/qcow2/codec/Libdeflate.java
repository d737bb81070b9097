package io.qfuse.qcow2.codec;

import jnr.ffi.LibraryLoader;
import org.jspecify.annotations.Nullable;

/** The C library libdeflate, where the host has it: it inflates and deflates twice as fast as zlib. */
final class Libdeflate {

    static final int SUCCESS = 0;

    /** The one whose streams are as long as those of zlib's usual level. */
    static final int LEVEL = 6;

    private static final @Nullable Calls CALLS = load();

    private Libdeflate() {}

    /** What is used of it; the addresses are native ones. */
    public interface Calls { // public inside a package-private class: the generated implementation lives elsewhere

        long libdeflate_alloc_decompressor();

        /**
         * Succeeds where the stream gives exactly {@code size} bytes, whatever follows it. The call without the last
         * argument but one crashes: jnr-ffi gets the last of six numbers wrong.
         */
        int libdeflate_deflate_decompress_ex(
                long decompressor, long stream, long length, long cluster, long size, long noLength, long noSize);

        void libdeflate_free_decompressor(long decompressor);

        long libdeflate_alloc_compressor(int level);

        /** Gives the bytes of the stream, or 0 where there is no room for it. */
        long libdeflate_deflate_compress(long compressor, long cluster, long size, long stream, long room);

        void libdeflate_free_compressor(long compressor);
    }

    static boolean isInstalled() {
        return CALLS != null;
    }

    static Calls calls() {
        Calls calls = CALLS;
        if (calls == null) {
            throw new IllegalStateException("libdeflate is not installed");
        }
        return calls;
    }

    private static @Nullable Calls load() {
        try {
            Calls calls = LibraryLoader.create(Calls.class).failImmediately().load("deflate");
            calls.libdeflate_free_decompressor(calls.libdeflate_alloc_decompressor());
            return calls;
        } catch (LinkageError e) {
            return null;
        }
    }
}
