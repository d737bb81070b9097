package io.qfuse.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class ClusterCacheTest {

    private static final int THREADS = 8;

    private final ClusterCache cache = new ClusterCache(1 << 20);
    private final Object owner = new Object();

    @Test
    void a_cluster_that_many_want_at_once_is_made_once() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(THREADS);
        try {
            CyclicBarrier start = new CyclicBarrier(THREADS);
            AtomicInteger made = new AtomicInteger();
            List<Future<byte[]>> readers = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                readers.add(pool.submit(() -> {
                    start.await();
                    return cache.get(owner, 1, key -> {
                        made.incrementAndGet();
                        return new byte[] {1};
                    });
                }));
            }
            for (Future<byte[]> reader : readers) {
                assertThat(reader.get()).containsExactly(1);
            }
            assertThat(made).hasValue(1);
        } finally {
            pool.shutdown();
        }
    }

    @Test
    void owners_do_not_see_each_others_clusters() throws IOException {
        cache.get(owner, 1, key -> new byte[] {1});
        assertThat(cache.peek(new Object(), 1)).isNull();
        assertThat(cache.peek(owner, 1)).containsExactly(1);
    }

    @Test
    void lookups_are_counted() throws IOException {
        cache.get(owner, 1, key -> new byte[] {1});
        cache.get(owner, 1, key -> new byte[] {1});
        cache.peek(owner, 1);
        cache.peek(owner, 2);
        assertThat(cache.lookups().hits()).isEqualTo(2);
        assertThat(cache.lookups().misses()).isEqualTo(2);
    }

    @Test
    void a_dropped_cluster_is_made_anew() throws IOException {
        cache.get(owner, 1, key -> new byte[] {1});
        cache.drop(owner, 1);
        assertThat(cache.peek(owner, 1)).isNull();
        assertThat(cache.get(owner, 1, key -> new byte[] {2})).containsExactly(2);
    }
}
