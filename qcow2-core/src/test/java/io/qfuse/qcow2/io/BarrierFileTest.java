package io.qfuse.qcow2.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class BarrierFileTest {

    private final AtomicInteger syncs = new AtomicInteger();
    private volatile SyncAction onSync = () -> {};
    private final HostFile counting = (HostFile) Proxy.newProxyInstance(
            HostFile.class.getClassLoader(), new Class<?>[] {HostFile.class}, (proxy, method, arguments) -> {
                if (method.getName().equals("sync")) {
                    syncs.incrementAndGet();
                    onSync.run();
                }
                return null;
            });
    private final BarrierFile file = new BarrierFile(counting);

    @Test
    void first_sync_is_done_and_the_next_without_a_change_is_free() throws IOException {
        file.sync();
        file.sync();
        assertThat(syncs).hasValue(1);
    }

    @Test
    void every_kind_of_change_needs_a_sync_and_reads_do_not() throws IOException {
        file.sync();
        file.write(0, 0, 1);
        file.sync();
        file.write(0, new byte[1], 0, 1);
        file.sync();
        file.writeZeroes(0, 1);
        file.sync();
        file.punchHole(0, 1);
        file.sync();
        file.allocate(0, 1);
        file.sync();
        file.truncate(0);
        file.sync();
        assertThat(syncs).hasValue(7);
        file.read(0, 0, 1);
        file.read(0, new byte[1]);
        file.sync();
        assertThat(syncs).hasValue(7);
    }

    @Test
    void failed_sync_is_not_made_good_by_a_later_one() throws IOException {
        onSync = () -> {
            throw new IOException("no");
        };
        assertThatThrownBy(file::sync).hasMessage("no");
        onSync = () -> {};
        assertThatThrownBy(file::sync).hasMessageEndingWith("an earlier one failed: no");
        file.write(0, 0, 1);
        assertThatThrownBy(file::sync).isInstanceOf(HostIoException.class);
        assertThat(syncs).hasValue(1);
    }

    @Test
    void write_that_returns_during_a_sync_is_covered_by_the_next() throws Exception {
        onSync = () -> {
            onSync = () -> {};
            file.write(0, 0, 1);
        };
        file.sync();
        file.sync();
        assertThat(syncs).hasValue(2);
    }

    @Test
    void sync_with_nothing_to_do_waits_for_the_one_that_does_it() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        AtomicInteger order = new AtomicInteger();
        onSync = () -> {
            begun.countDown();
            go.await();
            order.compareAndSet(0, 1);
        };
        var pool = Executors.newFixedThreadPool(2);
        try {
            Future<?> slow = pool.submit(() -> {
                file.sync();
                return null;
            });
            begun.await();
            Future<?> waiting = pool.submit(() -> {
                file.sync();
                order.compareAndSet(0, 2);
                return null;
            });
            go.countDown();
            slow.get();
            waiting.get();
            assertThat(order).hasValue(1);
            assertThat(syncs).hasValue(1);
        } finally {
            pool.shutdownNow();
        }
    }

    private interface SyncAction {
        void run() throws Exception;
    }
}
