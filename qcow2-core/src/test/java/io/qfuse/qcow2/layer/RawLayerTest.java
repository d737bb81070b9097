package io.qfuse.qcow2.layer;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.Extent;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import org.junit.jupiter.api.Test;

final class RawLayerTest {

    private static final int CLUSTER = 64 << 10;
    private static final int CLUSTERS = 100;

    private final MemoryHostFile file = new MemoryHostFile("raw");

    /** A file that counts how often the end of a run is looked for. */
    private static final class Searched extends ForwardingFile {
        private int searches;

        Searched(MemoryHostFile file) {
            super(file);
        }

        @Override
        public long seekHole(long offset) throws IOException {
            searches++;
            return super.seekHole(offset);
        }
    }

    @Test
    void the_end_of_a_run_of_data_is_looked_for_once_however_many_clusters_are_copied_out_of_it() throws IOException {
        file.write(0, new byte[CLUSTERS * CLUSTER], 0, CLUSTERS * CLUSTER);
        Searched searched = new Searched(file);
        RawLayer layer = new RawLayer(searched);
        for (int i = 0; i < CLUSTERS; i++) {
            int cluster = i * 37 % CLUSTERS; // in no order
            Extent extent = layer.nextExtent((long) cluster * CLUSTER);
            assertThat(extent.kind()).isEqualTo(Extent.Kind.DATA);
            assertThat(extent.end()).isEqualTo((long) CLUSTERS * CLUSTER);
        }
        assertThat(searched.searches).isEqualTo(1);
    }

    @Test
    void a_hole_that_was_filled_since_it_was_found_is_data() throws IOException {
        file.truncate(4 * CLUSTER);
        RawLayer layer = new RawLayer(file);
        assertThat(layer.nextExtent(0)).isEqualTo(new Extent(Extent.Kind.HOLE, 0, 4 * CLUSTER));
        file.write(CLUSTER, new byte[CLUSTER], 0, CLUSTER);
        assertThat(layer.nextExtent(0)).isEqualTo(new Extent(Extent.Kind.HOLE, 0, CLUSTER));
        assertThat(layer.nextExtent(CLUSTER).kind()).isEqualTo(Extent.Kind.DATA);
    }
}
