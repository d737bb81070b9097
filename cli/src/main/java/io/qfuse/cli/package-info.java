/**
 * The commands. {@link io.qfuse.cli.Qfuse} is the only door; one class a verb parses, makes one call into the core and
 * prints.
 */
@NullMarked
package io.qfuse.cli;

import org.jspecify.annotations.NullMarked;
