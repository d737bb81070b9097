package io.qfuse.fuse.kernel;

import com.kenai.jffi.CallContext;
import com.kenai.jffi.CallingConvention;
import com.kenai.jffi.Invoker;
import com.kenai.jffi.Library;
import com.kenai.jffi.Type;

/**
 * The calls of six arguments. jnr-ffi's own (2.2.17, x86-64) hand over a sixth that is not what was given; this way below it
 * is right, and allocates nothing either. What fails leaves its error number in {@link Native#errno}.
 */
final class WideCalls {

    private static final Invoker INVOKER = Invoker.getInstance();
    private static final Library LIBRARY = Library.getDefault();

    /** The signature that takes and gives words; remembers the error number. */
    private static final CallContext WORDS = CallContext.getCallContext(
            Type.SINT64,
            new Type[] {Type.SINT64, Type.SINT64, Type.SINT64, Type.SINT64, Type.SINT64, Type.SINT64},
            CallingConvention.DEFAULT,
            true);

    private static final long SYSCALL = LIBRARY.getSymbolAddress("syscall");
    private static final long MMAP = LIBRARY.getSymbolAddress("mmap");

    private WideCalls() {}

    static long syscall(long number, long first, long second, long third, long fourth, long fifth) {
        return INVOKER.invokeN6(WORDS, SYSCALL, number, first, second, third, fourth, fifth);
    }

    static long mmap(long address, long length, int protection, int flags, int file, long offset) {
        return INVOKER.invokeN6(WORDS, MMAP, address, length, protection, flags, file, offset);
    }
}
