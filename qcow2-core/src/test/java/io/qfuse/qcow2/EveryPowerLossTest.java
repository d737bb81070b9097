package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.qfuse.qcow2.SmallImage.Trait;
import io.qfuse.qcow2.check.ImageRepair;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageKind.Data;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every disk that a power loss may leave at every moment of short histories, and what the image is then. */
final class EveryPowerLossTest {

    private static final boolean LONG = Boolean.getBoolean("qfuse.long");
    private static final ShortHistory.Effort EFFORT =
            LONG ? new ShortHistory.Effort(4096, 100, 8) : new ShortHistory.Effort(256, 32, 8);
    private static final int PAIRS = LONG ? 1 : 12;
    private static final int MEANWHILE = LONG ? 1 : 25;
    private static final int TRIPLES = LONG ? 1 : 50;
    private static final ShortHistory.Tally TALLY = new ShortHistory.Tally();
    private static final Logger LOG = Logger.getLogger(ImageRepair.class.getPackageName());

    /** Something that is done. */
    @FunctionalInterface
    private interface Action {
        void run() throws IOException;
    }

    /** Something that is done to a disk. */
    @FunctionalInterface
    private interface Operation {
        void on(ShortHistory history, int cluster) throws IOException;
    }

    /** An operation with its name. */
    private record Step(String name, Operation operation) {

        void on(ShortHistory history) throws IOException {
            operation.on(history, history.clusterSize());
        }
    }

    private static final Step FLUSH = new Step("flush", (history, c) -> history.flush());

    private static final List<Step> STEPS = List.of(
            new Step("allocate", (history, c) -> history.write(9 * c, c)),
            new Step("allocate a part", (history, c) -> history.write(10 * c + 200, 600)),
            new Step("overwrite", (history, c) -> history.write(c, 2 * c)),
            new Step("overwrite a part", (history, c) -> history.write(4 * c + 100, 300)),
            new Step("write reserved", (history, c) -> history.write(6 * c, 512)),
            new Step("discard", (history, c) -> history.zero(c, 2 * c, true)),
            new Step("discard across", (history, c) -> history.zero(3 * c + 300, 3 * c, true)),
            new Step("zero", (history, c) -> history.zero(2 * c, 2 * c, false)),
            new Step("preallocate", (history, c) -> history.allocate(11 * c, 2 * c)),
            new Step("write far", (history, c) -> history.write(history.size() - c, c)),
            new Step("grow", (history, c) -> history.resize(history.size() + 130 * 512)),
            new Step("shrink", (history, c) -> history.resize(3 * c + 512)));

    /** What runs a checkpoint itself, and so waits for the end of another one. */
    private static final Set<String> RESIZES = Set.of("grow", "shrink");

    private static SmallImage fullTable() throws IOException {
        return new SmallImage(new ImageKind(3, 9, 6, false), 4200, Trait.FULL_TABLE);
    }

    private static Step step(String name) {
        return STEPS.stream().filter(step -> step.name.equals(name)).findFirst().orElseThrow();
    }

    static List<SmallImage> images() throws IOException {
        List<SmallImage> images = new ArrayList<>();
        images.add(new SmallImage(new ImageKind(3, 9, 4, false), 72));
        images.add(new SmallImage(new ImageKind(2, 9, 4, true), 72));
        images.add(new SmallImage(new ImageKind(3, 9, 0, true), 72));
        images.add(new SmallImage(new ImageKind(3, 12, 4, false), 16));
        images.add(new SmallImage(new ImageKind(3, 9, 4, false), 24, Trait.COMPRESSED));
        images.add(new SmallImage(new ImageKind(3, 12, 4, true), 16, Trait.COMPRESSED));
        images.add(new SmallImage(new ImageKind(3, 9, 4, false), 72, Trait.SNAPSHOT));
        images.add(new SmallImage(new ImageKind(3, 12, 6, false), 16, Trait.COMPRESSED, Trait.SNAPSHOT));
        images.add(new SmallImage(new ImageKind(3, 9, 4, false), 72, Trait.DIRTY));
        images.add(new SmallImage(new ImageKind(3, 9, 4, false), 72, Trait.BITMAP));
        images.add(new SmallImage(new ImageKind(3, 9, 6, false), 90, Trait.FULL_BLOCK));
        images.add(new SmallImage(new ImageKind(3, 14, 4, true, true), 14));
        images.add(new SmallImage(new ImageKind(3, 9, 4, true, false, Data.EXTERNAL), 72));
        images.add(new SmallImage(new ImageKind(3, 9, 4, false, false, Data.EXTERNAL_RAW), 72));
        return images;
    }

    @BeforeAll
    static void keep_the_log_short() {
        LOG.setLevel(Level.OFF);
    }

    @AfterAll
    static void tell() {
        LOG.setLevel(null);
        System.out.println("EveryPowerLossTest: " + TALLY);
    }

    @ParameterizedTest
    @MethodSource("images")
    void whatever_a_power_loss_leaves_of_one_operation_is_sound(SmallImage image) throws IOException {
        for (Step step : STEPS) {
            run(image, List.of(), List.of(step), UnaryOperator.identity());
            run(image, List.of(), List.of(step, FLUSH), UnaryOperator.identity());
        }
    }

    @ParameterizedTest
    @MethodSource("images")
    void whatever_a_power_loss_leaves_of_two_operations_is_sound(SmallImage image) throws IOException {
        int pair = image.toString().hashCode() & 0xff; // each image takes others
        for (Step first : STEPS) {
            for (Step second : STEPS) {
                if (pair++ % PAIRS == 0) {
                    run(image, List.of(first), List.of(second, FLUSH), UnaryOperator.identity());
                    run(image, List.of(first, FLUSH), List.of(second, FLUSH), UnaryOperator.identity());
                }
            }
        }
    }

    static List<SmallImage> imagesOfSmallClusters() throws IOException {
        return images().stream()
                .filter(image -> LONG || image.clusterSize() == 512)
                .toList();
    }

    @ParameterizedTest
    @MethodSource("imagesOfSmallClusters")
    void whatever_a_power_loss_leaves_of_an_operation_in_the_middle_of_a_flush_is_sound(SmallImage image)
            throws IOException {
        int pair = image.toString().hashCode() & 0xff; // each image takes others
        for (Step first : STEPS) {
            for (Step second : STEPS) {
                if (!RESIZES.contains(second.name) && pair++ % MEANWHILE == 0) {
                    for (int call = 1; runInFlush(image, first, second, call); call++) {}
                }
            }
        }
    }

    /**
     * Does the first step, flushes it, and does the second one behind the call of that number that the flush makes to the host;
     * then uses what was freed.
     *
     * @return false where the flush makes fewer calls
     */
    private static boolean runInFlush(SmallImage image, Step first, Step second, int call) throws IOException {
        String name = first.name + ", flush and " + second.name + " behind its call " + call + ", allocate";
        AtomicReference<Meanwhile> seam = new AtomicReference<>();
        ShortHistory history = new ShortHistory(image, name, EFFORT, TALLY, false, file -> {
            seam.set(new Meanwhile(file));
            return seam.get();
        });
        Meanwhile meanwhile = Objects.requireNonNull(seam.get());
        try {
            first.on(history);
            meanwhile.after(call, () -> {
                history.watch();
                second.on(history);
            });
            history.flush();
            boolean done = meanwhile.isDone();
            meanwhile.after(0, () -> {});
            step("allocate").on(history);
            history.flush();
            history.close();
            return done;
        } catch (IOException | RuntimeException | Error e) {
            history.drop();
            throw e;
        }
    }

    @Test
    void whatever_a_power_loss_leaves_of_three_operations_is_sound() throws IOException {
        SmallImage image = new SmallImage(new ImageKind(3, 9, 4, false), 24, Trait.COMPRESSED);
        for (int i = 0; i < STEPS.size() * STEPS.size() * STEPS.size(); i += TRIPLES) {
            Step first = STEPS.get(i % STEPS.size());
            Step second = STEPS.get(i / STEPS.size() % STEPS.size());
            Step third = STEPS.get(i / STEPS.size() / STEPS.size());
            run(image, List.of(first, second), List.of(third, FLUSH), UnaryOperator.identity());
            run(image, List.of(first, FLUSH, second), List.of(third, FLUSH), UnaryOperator.identity());
            run(image, List.of(first, FLUSH, second, FLUSH), List.of(third, FLUSH), UnaryOperator.identity());
        }
    }

    @Test
    void whatever_a_power_loss_leaves_of_a_refcount_table_that_moves_is_sound() throws IOException {
        for (String second : LONG ? List.of("allocate a part", "grow", "preallocate") : List.of("allocate a part")) {
            run(fullTable(), List.of(step("allocate")), List.of(step(second), FLUSH), UnaryOperator.identity());
        }
    }

    /** Runs steps, the first ones unobserved, and closes the disk. */
    private static void run(SmallImage image, List<Step> first, List<Step> steps, UnaryOperator<HostFile> seam)
            throws IOException {
        List<Step> all = new ArrayList<>(first);
        all.addAll(steps);
        String name = String.join(", ", all.stream().map(Step::name).toList());
        ShortHistory history = new ShortHistory(image, name, EFFORT, TALLY, first.isEmpty(), seam);
        try {
            for (Step step : first) {
                step.on(history);
            }
            history.watch();
            for (Step step : steps) {
                step.on(history);
            }
        } catch (IOException | RuntimeException | Error e) {
            history.drop();
            throw e;
        }
        history.close();
    }

    /** Steps that show a bug, in an image, and the bug: a seam around the image's file. */
    private record Planted(String bug, SmallImage image, List<Step> steps, UnaryOperator<HostFile> seam) {

        @Override
        public String toString() {
            return bug;
        }
    }

    static List<Planted> planted() throws IOException {
        SmallImage plain = new SmallImage(new ImageKind(3, 9, 4, false), 24);
        SmallImage full = new SmallImage(new ImageKind(3, 9, 6, false), 90, Trait.FULL_BLOCK);
        SmallImage compressed = new SmallImage(new ImageKind(3, 9, 4, false), 24, Trait.COMPRESSED);
        List<Step> reuse = List.of(step("discard"), FLUSH, step("allocate"), FLUSH);
        List<Step> growth = List.of(step("overwrite"), step("allocate"), step("allocate a part"), FLUSH);
        List<Step> table = List.of(step("allocate"), step("allocate a part"), FLUSH);
        return List.of(
                new Planted("clusters are given out before their release is durable", plain, reuse, without(2)),
                new Planted("entries may be durable before counts and data", plain, reuse, without(3)),
                new Planted("the last barrier of a flush is left out", plain, reuse, without(4)),
                new Planted("a refcount table may name a block that is not there", full, growth, without(1)),
                new Planted("entries may be durable before the table that counts", full, growth, without(2)),
                new Planted("the header may name a refcount table that is not there", fullTable(), table, without(2)),
                new Planted("a compressed cluster is punched too early", compressed, reuse, without(2)),
                new Planted("data come after the entry that shows them", compressed, growth, DataLast::new));
    }

    private static UnaryOperator<HostFile> without(int barrier) {
        return file -> new Without(file, barrier);
    }

    @ParameterizedTest
    @MethodSource("planted")
    void a_planted_bug_is_seen(Planted planted) {
        assertThatExceptionOfType(AssertionError.class)
                .isThrownBy(() -> run(planted.image, List.of(), planted.steps, planted.seam));
    }

    /** Does something behind a call that a checkpoint makes, as another thread would. */
    private static final class Meanwhile extends ForwardingFile {

        private int calls;
        private Action what = () -> {};

        Meanwhile(HostFile file) {
            super(file);
        }

        void after(int call, Action action) {
            calls = call;
            what = action;
        }

        boolean isDone() {
            return calls <= 0;
        }

        private void count() throws IOException {
            if (--calls == 0) {
                what.run(); // its own calls count below 0
            }
        }

        @Override
        public void sync() throws IOException {
            super.sync(); // it does not cover what comes now
            count();
        }

        @Override
        public void write(long offset, byte[] from, int start, int length) throws IOException {
            super.write(offset, from, start, length);
            count();
        }
    }

    /** Leaves out one barrier. */
    private static final class Without extends ForwardingFile {

        private int left;

        Without(HostFile file, int number) {
            super(file);
            this.left = number;
        }

        @Override
        public void sync() throws IOException {
            if (--left != 0) {
                super.sync();
            }
        }
    }

    /** Writes guest data before the second barrier after it was asked to. */
    private static final class DataLast extends ForwardingFile {

        private byte[] held = new byte[0];
        private long offset;
        private int barriers;

        DataLast(HostFile file) {
            super(file);
        }

        @Override
        public void write(long to, long address, int length) {
            held = new byte[length];
            NativeBuffer.get(address, held, 0, length);
            offset = to;
            barriers = 2;
        }

        @Override
        public void sync() throws IOException {
            if (--barriers == 0) {
                write(offset, held, 0, held.length);
            }
            super.sync();
        }
    }
}
