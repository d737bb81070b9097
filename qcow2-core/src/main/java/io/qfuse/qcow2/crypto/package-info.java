/**
 * Encryption of guest data: {@link io.qfuse.qcow2.crypto.LuksHeader} is what an image says, {@link
 * io.qfuse.qcow2.crypto.LuksKey} finds the key that a passphrase opens, {@link io.qfuse.qcow2.crypto.GuestCipher} works with
 * it.
 */
@NullMarked
package io.qfuse.qcow2.crypto;

import org.jspecify.annotations.NullMarked;
