package io.qfuse.fuse.kernel;

import static io.qfuse.fuse.kernel.Native.LIBC;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Two workers that wait for requests out of one queue, a pipe here, which each reads by a descriptor of its own. The times of the
 * requests that give a worker the turn are made up; all else takes the time it takes.
 */
final class PollerTest {

    private static final long GAP_NANOS = 50_000;
    private static final long SOME_SECONDS = 60;

    private final NativeBytes memory = new NativeBytes(64);
    private final List<Integer> descriptors = new ArrayList<>();
    private final BlockingQueue<String> read = new LinkedBlockingQueue<>();
    private final List<Thread> threads = new ArrayList<>();
    private final Polling polling = new Polling();
    private int queue;
    private Poller one;
    private Poller two;

    @BeforeEach
    void open_the_queue() throws IOException {
        assertThat(LIBC.pipe2(memory.address(), Native.O_CLOEXEC)).isZero();
        int end = descriptor(memory.getInt(0));
        queue = descriptor(memory.getInt(4));
        one = new Poller(polling, reopened(end));
        two = new Poller(polling, reopened(end));
        LIBC.close(descriptors.remove(0));
    }

    private int reopened(int end) {
        return descriptor(LIBC.open("/proc/self/fd/" + end, Native.O_CLOEXEC));
    }

    private int descriptor(int fd) {
        assertThat(fd).isNotNegative();
        descriptors.add(fd);
        return fd;
    }

    @AfterEach
    void close_the_queue() throws InterruptedException {
        LIBC.close(queue);
        descriptors.remove((Integer) queue);
        for (Thread thread : threads) {
            thread.join(SECONDS.toMillis(SOME_SECONDS));
            assertThat(thread.isAlive()).as("%s still waits", thread.getName()).isFalse();
        }
        descriptors.forEach(LIBC::close);
        memory.close();
    }

    /** One request after the other, each awaited for a moment, give it the turn. */
    private void lonely(Poller poller) {
        long now = System.nanoTime();
        for (int i = 0; i <= 100; i++) {
            now += GAP_NANOS;
            poller.begin(true, now);
            poller.end(now);
        }
    }

    /** Has a thread read one request, or see the end. */
    private void reads(Poller poller, String name) {
        var thread = new Thread(
                () -> {
                    try (var buffer = new NativeBytes(8)) {
                        if (poller.read(buffer.address(), 1) > 0) {
                            read.add(name);
                        } else {
                            poller.leave();
                        }
                    }
                },
                name);
        thread.setDaemon(true);
        threads.add(thread);
        thread.start();
    }

    private void send() {
        assertThat(LIBC.write(queue, memory.address(), 1)).isEqualTo(1);
    }

    private void awaitRead(String... names) throws InterruptedException {
        List<String> got = new ArrayList<>();
        for (int i = 0; i < names.length; i++) {
            got.add(read.poll(SOME_SECONDS, SECONDS));
        }
        assertThat(got).containsExactlyInAnyOrder(names);
    }

    @Test
    void requests_one_at_a_time_give_one_worker_the_turn_and_no_second_one() {
        lonely(one);
        lonely(two);
        assertThat(polling.isTurnOf(one)).isTrue();
        assertThat(polling.isTurnOf(two)).isFalse();
    }

    @Test
    void requests_beside_those_of_another_worker_give_nobody_the_turn() {
        two.begin(true, System.nanoTime());
        lonely(one);
        assertThat(polling.isTurnOf(one)).isFalse();
    }

    @Test
    void large_requests_give_nobody_the_turn() {
        long now = System.nanoTime();
        for (int i = 0; i <= 100; i++) {
            now += GAP_NANOS;
            one.begin(false, now);
            one.end(now);
        }
        assertThat(polling.isTurnOf(one)).isFalse();
    }

    @Test
    void a_worker_beside_the_poller_stands_back_and_reads_again_when_none_comes() throws InterruptedException {
        lonely(one);
        reads(two, "two");
        reads(one, "one");
        while (polling.isTurnOf(one)) {
            Thread.sleep(1);
        }
        send();
        send();
        awaitRead("one", "two");
    }

    @Test
    void a_turn_that_the_others_do_not_let_begin_ends_by_itself() throws InterruptedException {
        lonely(one);
        reads(one, "one");
        while (polling.isTurnOf(one)) {
            Thread.sleep(1);
        }
        send();
        awaitRead("one");
    }

    @Test
    void a_request_that_holds_the_poller_up_lets_the_other_read() throws InterruptedException {
        lonely(one);
        one.begin(true, System.nanoTime());
        reads(two, "two");
        send();
        awaitRead("two");
        assertThat(polling.isTurnOf(one)).isFalse();
    }

    @Test
    void a_request_that_holds_the_other_up_lets_the_next_poller_read() throws InterruptedException {
        lonely(one);
        two.begin(false, System.nanoTime());
        reads(one, "one");
        send();
        awaitRead("one");
    }

    @Test
    void what_may_take_long_is_not_begun_with_the_turn() throws InterruptedException {
        lonely(one);
        reads(two, "two");
        send();
        reads(one, "one");
        awaitRead("one");
        one.begin(false, System.nanoTime());
        send();
        awaitRead("two");
    }

    @Test
    void a_worker_that_ends_ends_the_turn_and_all_others() throws InterruptedException {
        lonely(one);
        reads(one, "one");
        two.leave();
        send();
        awaitRead("one");
        lonely(one);
        assertThat(polling.isTurnOf(one)).isFalse();
    }

    @Test
    void the_end_of_the_queue_ends_all_who_poll_and_stand_back() {
        lonely(one);
        reads(two, "two");
        reads(one, "one");
        // closing the queue is what close_the_queue does, and there that both threads end is checked
        assertThat(read).isEmpty();
    }
}
