package io.qfuse.qcow2.guard;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Limits;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Host clusters that hold the same metadata as long as the image is open, whatever the length that a field claims for
 * them: as sorted ranges, merged where they meet. Immutable; a search takes O(log n) and no memory.
 */
final class FixedRegions {

    /** No region. */
    static final FixedRegions NONE = new FixedRegions(List.of());

    private final long[] starts;
    private final long[] ends;
    private final int[] bits;

    /**
     * Adjacent clusters.
     *
     * @param start the first
     * @param end the one behind the last
     * @param bits what they are
     */
    record Region(long start, long end, int bits) {

        /** The clusters that a range of bytes touches, as far as host offsets go. */
        static Region of(Geometry geometry, long offset, long length, MetadataRole role) {
            long limit = Limits.MAX_HOST_OFFSET;
            long from = Long.compareUnsigned(offset, limit) < 0 ? offset : limit;
            long bytes = Long.compareUnsigned(length, limit - from) < 0 ? length : limit - from;
            return new Region(geometry.clusterIndex(from), geometry.clustersFor(from + bytes), role.bit());
        }
    }

    FixedRegions(List<Region> regions) {
        List<Region> merged = new ArrayList<>();
        List<Region> sorted = new ArrayList<>(regions);
        sorted.removeIf(region -> region.start == region.end);
        sorted.sort(Comparator.comparingLong(Region::start));
        for (Region region : sorted) {
            int last = merged.size() - 1;
            if (last >= 0 && merged.get(last).end >= region.start) {
                Region before = merged.get(last);
                merged.set(last, new Region(before.start, Math.max(before.end, region.end), before.bits | region.bits));
            } else {
                merged.add(region);
            }
        }
        this.starts = merged.stream().mapToLong(Region::start).toArray();
        this.ends = merged.stream().mapToLong(Region::end).toArray();
        this.bits = merged.stream().mapToInt(Region::bits).toArray();
    }

    /** What lies in any of the clusters from {@code first} to {@code last}: of several regions, in the last one. */
    int bits(long first, long last) {
        if (starts.length == 0) {
            return 0;
        }
        int found = Arrays.binarySearch(starts, last);
        int before = found >= 0 ? found : -found - 2; // no region begins between this one and the end of the range
        return before >= 0 && ends[before] > first ? bits[before] : 0;
    }
}
