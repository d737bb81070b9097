package io.qfuse.qcow2.crypto;

/**
 * One of the eight places where a LUKS header keeps the key, locked by a passphrase.
 *
 * @param active whether there is a key
 * @param iterations of PBKDF2 over the passphrase
 * @param salt 32 bytes for PBKDF2; callers do not modify them
 * @param materialOffset where the locked key is, in bytes from the LUKS header's start
 * @param stripes over how many stripes it is spread
 */
@SuppressWarnings("ArrayRecordComponent") // compared by nobody
public record KeySlot(boolean active, long iterations, byte[] salt, long materialOffset, long stripes) {}
