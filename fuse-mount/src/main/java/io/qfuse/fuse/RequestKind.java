package io.qfuse.fuse;

/** What is counted together of the kernel's requests. */
public enum RequestKind {
    READ,
    WRITE,
    /** Of a disk or of all. */
    FSYNC,
    /** Holes, zeroes and reserved space. */
    FALLOCATE,
    /** The search for data and holes. */
    LSEEK,
    LOOKUP,
    GETATTR,
    /** Changes of size, owner and permissions. */
    SETATTR,
    OPEN,
    /** Of one descriptor, and of the last one. */
    CLOSE,
    /** All the rest. */
    OTHER;

    /** The kind of a request, by its number in the FUSE protocol. */
    public static RequestKind of(int opcode) {
        return switch (opcode) {
            case 15 -> READ;
            case 16 -> WRITE;
            case 20, 30 -> FSYNC;
            case 43 -> FALLOCATE;
            case 46 -> LSEEK;
            case 1 -> LOOKUP;
            case 3 -> GETATTR;
            case 4 -> SETATTR;
            case 14, 27 -> OPEN;
            case 18, 25, 29 -> CLOSE;
            default -> OTHER;
        };
    }
}
