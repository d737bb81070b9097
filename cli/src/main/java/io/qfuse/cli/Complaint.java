package io.qfuse.cli;

import io.qfuse.qcow2.io.OneLine;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** Turns whatever went wrong into the one line that a user reads. */
final class Complaint {
    private Complaint() {}

    /** Prints the line, and with {@code verbose} where in the program it came from. */
    static void print(PrintWriter err, Throwable e, boolean verbose) {
        err.println(line("", e));
        if (verbose) {
            e.printStackTrace(err);
        }
        err.flush();
    }

    /**
     * {@code qfuse: what: why} on one line.
     *
     * @param what what was tried, where the message does not begin with it; else empty
     */
    static String line(String what, Throwable e) {
        String subject = what.isEmpty() || what.equals("qfuse") ? "" : what.replaceFirst("^qfuse ", "") + ": ";
        return OneLine.of("qfuse: " + subject + reason(e).strip().replaceAll("\\s*\\R\\s*", "; "));
    }

    private static String reason(Throwable e) {
        if (e instanceof FileSystemException file) {
            return file.getFile() + ": " + reason(file);
        }
        String message = e.getMessage();
        return message == null || message.isBlank() ? e.getClass().getSimpleName() : message;
    }

    // The JDK names these only by their class.
    private static String reason(FileSystemException e) {
        if (e instanceof NoSuchFileException) {
            return "No such file or directory";
        }
        if (e instanceof AccessDeniedException) {
            return "Permission denied";
        }
        if (e instanceof FileAlreadyExistsException) {
            return "File exists";
        }
        if (e instanceof NotDirectoryException) {
            return "Not a directory";
        }
        if (e instanceof DirectoryNotEmptyException) {
            return "Directory not empty";
        }
        return e.getReason() == null ? e.getClass().getSimpleName() : e.getReason();
    }
}
