package io.qfuse.qcow2.check;

import java.util.Optional;

/** One thing that is wrong with an image. */
public sealed interface Finding {

    /** How bad a finding is. */
    enum Severity {
        /** Host space is lost; no data are in danger. */
        LEAK,
        /** Data are damaged, or will be by the next write. */
        CORRUPTION
    }

    /** What is wrong, in one sentence without the image's name. */
    String sentence();

    /** How bad it is. */
    default Severity severity() {
        return Severity.CORRUPTION;
    }

    /** What a repair does about it, as in "a repair ..."; empty where it can do nothing. */
    default Optional<String> remedy() {
        return Optional.empty();
    }

    /**
     * More counted than there are references.
     *
     * @param offset the cluster
     * @param refcount what is stored
     * @param references what was found
     */
    record Leak(long offset, long refcount, long references) implements Finding {
        @Override
        public Severity severity() {
            return Severity.LEAK;
        }

        @Override
        public Optional<String> remedy() {
            return Optional.of(references == 0 ? "frees the cluster" : "lowers the refcount to " + references);
        }

        @Override
        public String sentence() {
            return "leaked cluster at " + hex(offset) + ": refcount " + refcount + ", references " + references;
        }
    }

    /**
     * More references than are counted: the cluster may be given away while in use.
     *
     * @param offset the cluster
     * @param refcount what is stored
     * @param references what was found
     */
    record RefcountTooLow(long offset, long refcount, long references) implements Finding {
        @Override
        public Optional<String> remedy() {
            return Optional.of("raises the refcount to " + references);
        }

        @Override
        public String sentence() {
            return "cluster at " + hex(offset) + ": refcount " + refcount + ", but references " + references;
        }
    }

    /**
     * An entry's COPIED flag does not say whether the refcount is exactly 1.
     *
     * @param what where the entry is
     * @param entry the entry
     * @param refcount what is stored for the cluster that it names
     */
    record CopiedWrong(String what, long entry, long refcount) implements Finding {
        @Override
        public Optional<String> remedy() {
            return Optional.of("makes the flag what the refcount is then");
        }

        @Override
        public String sentence() {
            return what + " is " + hex(entry) + ": COPIED is " + (entry < 0 ? "set" : "clear")
                    + ", but the refcount is " + refcount;
        }
    }

    /**
     * An entry has bits set that mean nothing.
     *
     * @param what where the entry is
     * @param entry the entry
     */
    record ReservedBits(String what, long entry) implements Finding {
        @Override
        public String sentence() {
            return what + " is " + hex(entry) + ": reserved bits are set";
        }
    }

    /**
     * Something that fills clusters does not begin at the start of one.
     *
     * @param what what it is
     * @param offset where it begins
     * @param reserve whether it is no more than space set aside for a cluster that reads as zeroes
     */
    record Unaligned(String what, long offset, boolean reserve) implements Finding {
        Unaligned(String what, long offset) {
            this(what, offset, false);
        }

        @Override
        public Optional<String> remedy() {
            return reserve ? Optional.of("gives the space up") : Optional.empty();
        }

        @Override
        public String sentence() {
            return what + " begins at " + hex(offset) + ", not at the start of a cluster";
        }
    }

    /**
     * Something lies behind the end of the file.
     *
     * @param what what it is
     * @param offset where it begins
     * @param length its bytes
     */
    record OutsideFile(String what, long offset, long length) implements Finding {
        @Override
        public String sentence() {
            return what + " of " + length + " bytes at " + hex(offset) + " lies behind the end of the file";
        }
    }

    /**
     * More references than a refcount of the image's width can count.
     *
     * @param offset the cluster
     * @param most the largest refcount
     */
    record TooManyReferences(long offset, long most) implements Finding {
        @Override
        public String sentence() {
            return "cluster at " + hex(offset) + " has more references than a refcount can count, " + most;
        }
    }

    /**
     * Two things lie on one cluster that cannot share it: changing one damages the other.
     *
     * @param what the second that was met
     * @param offset the cluster
     */
    record Overlap(String what, long offset) implements Finding {
        @Override
        public String sentence() {
            return what + " lies at " + hex(offset) + ", where something else is as well";
        }
    }

    /**
     * An entry contradicts itself.
     *
     * @param what where the entry is
     * @param entry the entry
     * @param why how
     */
    record InvalidEntry(String what, long entry, String why) implements Finding {
        @Override
        public String sentence() {
            return what + " is " + hex(entry) + ": " + why;
        }
    }

    /**
     * A table that breaks the format; its references may not be known.
     *
     * @param why what is wrong with it
     */
    record BrokenTable(String why) implements Finding {
        @Override
        public String sentence() {
            return why;
        }
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }
}
