package io.qfuse.fuse;

/** The flags of mount(2) that make sense here, each with the two words that set and clear it. */
public enum MountFlag {
    RDONLY(1, "ro", "rw"),
    NOSUID(2, "nosuid", "suid"),
    NODEV(4, "nodev", "dev"),
    NOEXEC(8, "noexec", "exec"),
    SYNCHRONOUS(16, "sync", "async"),
    DIRSYNC(128, "dirsync", ""),
    NOATIME(1024, "noatime", "atime");

    private final long bit;
    private final String setWord;
    private final String clearWord;

    MountFlag(long bit, String setWord, String clearWord) {
        this.bit = bit;
        this.setWord = setWord;
        this.clearWord = clearWord;
    }

    /** Its bit in mount(2). */
    public long bit() {
        return bit;
    }

    /** The {@code -o} word that sets it. */
    public String setWord() {
        return setWord;
    }

    /** The {@code -o} word that clears it; empty where there is none. */
    String clearWord() {
        return clearWord;
    }
}
