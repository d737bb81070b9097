package io.qfuse.cli;

import io.qfuse.fuse.Transport;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** The names of the transports on the command line. */
final class TransportName implements ITypeConverter<Transport> {
    @Override
    public Transport convert(String name) {
        return switch (name) {
            case "kernel" -> Transport.KERNEL;
            case "io_uring" -> Transport.IO_URING;
            case "jnr-fuse" -> Transport.JNR_FUSE;
            default ->
                throw new TypeConversionException(
                        "'" + name + "' is no transport; there are kernel, io_uring and jnr-fuse");
        };
    }
}
