/** A cache of slices of metadata tables: Caffeine chooses what stays, dirty slices stay until they are written. */
@NullMarked
package io.qfuse.cache;

import org.jspecify.annotations.NullMarked;
