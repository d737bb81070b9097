package io.qfuse.qcow2.testing;

import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.jetbrains.lincheck.datastructures.ManagedStrategyGuaranteeKt.forClasses;

import java.lang.reflect.Method;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jetbrains.kotlinx.lincheck.Actor;
import org.jetbrains.kotlinx.lincheck.execution.ExecutionScenario;
import org.jetbrains.lincheck.LincheckAssertionError;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;

/**
 * A small program of a few threads that is run under many schedules, one thread at a time, by Lincheck: with a switch at any
 * access to shared memory and any lock, first all schedules with one switch, then those with two, and so on. What its
 * operations return must be what they return in some order one after the other, and no thread may wait for ever.
 *
 * <p>Memory is as if there was no reordering. For one thread.
 */
public final class Interleavings {

    private static final int SCHEDULES = Boolean.getBoolean("qfuse.long") ? 5_000 : 500;

    /** Threads that wait for each other are found at once; the clock is for a machine that is too busy to load classes. */
    private static final Duration HANGS = Duration.ofMinutes(10);

    private final Class<?> operations;
    private final Class<?> specification;
    private List<Actor> first = List.of();
    private final List<List<Actor>> threads = new ArrayList<>();
    private List<Actor> last = List.of();
    private int schedules = SCHEDULES;

    /**
     * A program without threads so far.
     *
     * @param operations a public class whose public methods its threads call, on an object that is new for each schedule
     */
    public Interleavings(Class<?> operations) {
        this(operations, operations);
    }

    /**
     * A program without threads so far.
     *
     * @param specification a public class with the same methods, that tells what they return one after the other
     */
    public Interleavings(Class<?> operations, Class<?> specification) {
        this.operations = operations;
        this.specification = specification;
    }

    /** The call of an operation. */
    public record Call(String operation, List<Object> arguments) {

        /** The call of the operation that has this name. */
        public static Call call(String operation, Object... arguments) {
            return new Call(operation, List.of(arguments));
        }
    }

    /** What is done before the threads start. */
    public Interleavings first(Call... calls) {
        first = actors(calls);
        return this;
    }

    /** One more thread. */
    public Interleavings thread(Call... calls) {
        threads.add(actors(calls));
        return this;
    }

    /** What is done when the threads have ended. */
    public Interleavings last(Call... calls) {
        last = actors(calls);
        return this;
    }

    /** Looks at an eighth of the schedules: for operations of so many steps that each schedule takes milliseconds. */
    public Interleavings costly() {
        schedules = SCHEDULES / 8;
        return this;
    }

    private List<Actor> actors(Call... calls) {
        return Arrays.stream(calls)
                .map(call -> new Actor(method(call.operation()), call.arguments()))
                .toList();
    }

    private Method method(String name) {
        return Arrays.stream(operations.getMethods())
                .filter(method -> method.getName().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(operations + " has no " + name));
    }

    /** Runs a program with a planted mistake, which must be found. */
    public void requireSeen() {
        assertThatExceptionOfType(LincheckAssertionError.class).isThrownBy(this::explore);
    }

    /**
     * Runs the program.
     *
     * @throws LincheckAssertionError with the schedule, where one is found that no order explains
     */
    public void explore() {
        ModelCheckingOptions options = new ModelCheckingOptions();
        options.iterations(0); // none but this program
        options.addCustomScenario(new ExecutionScenario(first, threads, last, null));
        options.sequentialSpecification(specification);
        options.invocationsPerIteration(schedules);
        options.minimizeFailedScenario(false);
        options.loopBound(1000); // more is taken for waiting
        options.invocationTimeout$lincheck(HANGS.toMillis());
        // What waits for nothing and calls nobody back, so that its steps matter to nobody.
        options.addGuarantee(forClasses(Interleavings::isOneStep).allMethods().treatAsAtomic());
        options.check(operations);
    }

    private static boolean isOneStep(String name) {
        return name.startsWith("java.util.HashMap")
                || name.startsWith("java.util.concurrent.ConcurrentHashMap")
                || name.startsWith("io.qfuse.qcow2.guard.")
                || name.startsWith("io.qfuse.qcow2.testing.");
    }
}
