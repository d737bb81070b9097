package io.qfuse.qcow2;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** What is fuzzed, and the inputs that are kept for it: one line each, as {@link FuzzInput} has them. */
enum FuzzTarget {
    /** A sound image, damaged and used. */
    IMAGE(ImageFuzzer.class, 4),
    /** Any bytes as a file. */
    FILE(RawImageFuzzer.class, 1);

    private static final int WHOLE_TABLES = 3 << 10;

    private final Class<?> target;
    private final int share;

    FuzzTarget(Class<?> target, int share) {
        this.target = target;
        this.share = share;
    }

    /** The class that the fuzzer calls. */
    Class<?> target() {
        return target;
    }

    /** The target's share of {@code seconds} that are for all. */
    int secondsOf(int seconds) {
        return Math.max(5, seconds * share / 5);
    }

    /** The kept inputs, and where they are files the specimens as far as their first tables go. */
    List<String> corpus() throws IOException {
        String resource = "/io/qfuse/qcow2/fuzz/" + target.getSimpleName() + ".hex";
        List<String> inputs = new ArrayList<>();
        try (InputStream in = Objects.requireNonNull(FuzzTarget.class.getResourceAsStream(resource), resource)) {
            new String(in.readAllBytes(), StandardCharsets.US_ASCII).lines().forEach(inputs::add);
        }
        if (this == FILE) {
            for (FuzzSubject subject : FuzzSubject.all()) {
                inputs.add(FuzzInput.format(subject.image().bytes(0, WHOLE_TABLES)));
            }
        }
        return inputs;
    }
}
