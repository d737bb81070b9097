package io.qfuse.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** Collects text for a stream without making an object for each number: for lists of millions of lines. */
final class AsciiBuffer {

    private static final int LONGEST_NUMBER = 20;
    private static final char[] HEX = "0123456789abcdef".toCharArray();

    private final OutputStream out;
    private final byte[] bytes = new byte[64 << 10];
    private final byte[] digits = new byte[LONGEST_NUMBER];
    private int used;

    AsciiBuffer(OutputStream out) {
        this.out = out;
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    void put(byte[] text) throws IOException {
        if (text.length > bytes.length - used) {
            flush();
        }
        if (text.length > bytes.length) {
            out.write(text);
            return;
        }
        System.arraycopy(text, 0, bytes, used, text.length);
        used += text.length;
    }

    void put(char c) throws IOException {
        if (used == bytes.length) {
            flush();
        }
        bytes[used++] = (byte) c;
    }

    /** A number of at least 0. */
    void decimal(long number) throws IOException {
        int at = LONGEST_NUMBER;
        long rest = number;
        do {
            digits[--at] = (byte) ('0' + rest % 10);
            rest /= 10;
        } while (rest != 0);
        take(at);
    }

    /** A number of at least 0 as {@code 0x1f}, and 0 as {@code 0}; filled up with blanks. */
    void hex(long number, int width) throws IOException {
        int at = LONGEST_NUMBER;
        for (long rest = number; rest != 0; rest >>>= 4) {
            digits[--at] = (byte) HEX[(int) rest & 15];
        }
        if (number == 0) {
            digits[--at] = '0';
        } else {
            digits[--at] = 'x';
            digits[--at] = '0';
        }
        int length = LONGEST_NUMBER - at;
        take(at);
        for (int i = length; i < width; i++) {
            put(' ');
        }
    }

    private void take(int from) throws IOException {
        if (bytes.length - used < LONGEST_NUMBER) {
            flush();
        }
        int length = LONGEST_NUMBER - from;
        System.arraycopy(digits, from, bytes, used, length);
        used += length;
    }

    void flush() throws IOException {
        out.write(bytes, 0, used);
        used = 0;
    }
}
