package io.qfuse.cli;

/** The formats that a user can name. */
enum ImageFormat {
    QCOW2,
    RAW
}
