package io.qfuse.fuse;

import java.nio.file.OpenOption;

/** The option that opens a file with O_DIRECT. */
public final class DirectIo {

    /** Found by name, since compilers warn about the JDK's own packages. */
    public static final OpenOption DIRECT = find();

    private DirectIo() {}

    private static OpenOption find() {
        try {
            for (Object option :
                    Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants()) {
                if (option.toString().equals("DIRECT")) {
                    return (OpenOption) option;
                }
            }
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
        throw new AssertionError("this JDK has no direct I/O");
    }
}
