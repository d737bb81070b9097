/** From guest clusters to host clusters, and the locks over guest clusters. */
@NullMarked
package io.qfuse.qcow2.map;

import org.jspecify.annotations.NullMarked;
