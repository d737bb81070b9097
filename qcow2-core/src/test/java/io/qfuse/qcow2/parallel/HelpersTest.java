package io.qfuse.qcow2.parallel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.qfuse.qcow2.io.ThreadAffinity;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

final class HelpersTest {

    private static final Duration DEADLOCK = Duration.ofMinutes(1);

    @Test
    void each_part_is_done_once_by_the_caller_and_no_more_helpers_than_allowed() throws Exception {
        Helpers helpers = new Helpers("test", 3);
        Set<Thread> seen = ConcurrentHashMap.newKeySet();
        List<Future<?>> callers = new ArrayList<>();
        ExecutorService pool = Executors.newFixedThreadPool(16);
        try {
            for (int i = 0; i < 16; i++) {
                callers.add(pool.submit(() -> {
                    for (int parts = 0; parts < 100; parts++) {
                        AtomicIntegerArray done = new AtomicIntegerArray(parts);
                        helpers.share(parts, part -> {
                            seen.add(Thread.currentThread());
                            done.incrementAndGet(part);
                        });
                        for (int part = 0; part < parts; part++) {
                            assertThat(done.get(part)).isEqualTo(1);
                        }
                    }
                    return null;
                }));
            }
            for (Future<?> caller : callers) {
                caller.get();
            }
        } finally {
            pool.shutdown();
        }
        List<Thread> ours = seen.stream()
                .filter(thread -> thread.getName().startsWith("test-"))
                .toList();
        assertThat(ours).hasSizeLessThanOrEqualTo(3).allMatch(Thread::isDaemon);
    }

    @Test
    void helpers_run_wherever_the_process_may_though_the_caller_keeps_to_one_processor() throws Exception {
        Helpers helpers = new Helpers("free", 1);
        Map<String, String> processors = new ConcurrentHashMap<>();
        CountDownLatch both = new CountDownLatch(2);
        Thread caller = new Thread(
                () -> {
                    ThreadAffinity.keepOn(0);
                    try {
                        helpers.share(2, part -> {
                            processors.put(Thread.currentThread().getName(), processors("thread-self"));
                            both.countDown();
                            await(both);
                        });
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                "caller");
        caller.start();
        caller.join();
        assertThat(processors).containsOnlyKeys("caller", "free-0");
        assertThat(processors.get("free-0")).isEqualTo(processors("self"));
        assertThat(processors.get("caller")).doesNotContain("-", ",");
    }

    private static String processors(String task) throws IOException {
        return Files.readAllLines(Path.of("/proc", task, "status")).stream()
                .filter(line -> line.startsWith("Cpus_allowed_list:"))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void parts_run_at_once() {
        Helpers helpers = new Helpers("test", 2);
        CountDownLatch together = new CountDownLatch(3);
        assertTimeoutPreemptively(
                DEADLOCK,
                () -> helpers.share(3, part -> {
                    together.countDown();
                    await(together);
                }));
    }

    @Test
    void helpers_that_are_stuck_hold_up_nobody_but_their_caller() throws Exception {
        Helpers helpers = new Helpers("test", 1);
        CountDownLatch stuck = new CountDownLatch(2);
        CountDownLatch free = new CountDownLatch(1);
        ExecutorService pool = Executors.newSingleThreadExecutor();
        try {
            Future<?> first = pool.submit(() -> {
                helpers.share(2, part -> {
                    stuck.countDown();
                    await(free);
                });
                return null;
            });
            await(stuck);
            AtomicInteger done = new AtomicInteger();
            assertTimeoutPreemptively(DEADLOCK, () -> helpers.share(100, part -> done.incrementAndGet()));
            assertThat(done).hasValue(100);
            assertThat(first.isDone()).isFalse();
            free.countDown();
            first.get();
        } finally {
            free.countDown();
            pool.shutdown();
        }
    }

    @Test
    void after_a_failure_no_part_is_running_and_the_next_work_is_done() throws IOException {
        Helpers helpers = new Helpers("test", 3);
        for (int round = 0; round < 1000; round++) {
            AtomicInteger running = new AtomicInteger();
            assertThatThrownBy(() -> helpers.share(20, part -> {
                        running.incrementAndGet();
                        try {
                            if (part % 7 == 3) {
                                throw new IOException("part " + part);
                            }
                        } finally {
                            running.decrementAndGet();
                        }
                    }))
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith("part ");
            assertThat(running).hasValue(0);
        }
        AtomicInteger done = new AtomicInteger();
        helpers.share(20, part -> done.incrementAndGet());
        assertThat(done).hasValue(20);
    }

    @Test
    void a_single_processor_has_no_helpers() throws IOException {
        Thread caller = Thread.currentThread();
        new Helpers("test", 0)
                .share(50, part -> assertThat(Thread.currentThread()).isSameAs(caller));
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
