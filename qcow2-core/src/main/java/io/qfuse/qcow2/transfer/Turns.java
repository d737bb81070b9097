package io.qfuse.qcow2.transfer;

import java.io.IOException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Lets workers do something in the order of their pieces. Nobody is interrupted. */
final class Turns {

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private long next;
    private boolean givenUp;

    /** Returns when all earlier pieces have had their turn; {@link #pass} follows. */
    void await(long piece) throws IOException {
        lock.lock();
        try {
            while (next != piece && !givenUp) {
                changed.awaitUninterruptibly();
            }
            if (givenUp) {
                throw new IOException("given up, because another worker has failed");
            }
        } finally {
            lock.unlock();
        }
    }

    /** Lets the next piece have its turn. */
    void pass() {
        lock.lock();
        try {
            next++;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Nobody waits any more: a turn will be missing. */
    void giveUp() {
        lock.lock();
        try {
            givenUp = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
