package io.qfuse.it;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.qfuse.qcow2.io.HostFile;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import org.junit.jupiter.api.Test;

/** The one direction in which dependencies run, and what each package keeps to itself. */
final class ArchitectureTest {

    private static final JavaClasses PRODUCT = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .withImportOption(location -> !location.contains("/test-classes/"))
            .importPackages("io.qfuse");

    /** Detaching a server from its terminal takes system calls that nobody else needs. */
    private static final String COMMAND_LINE_CALLS = "io\\.qfuse\\.cli\\.Posix(\\$.*)?";

    @Test
    void every_module_is_looked_at() {
        assertThat(PRODUCT.stream().map(type -> type.getPackageName()))
                .contains("io.qfuse.cache", "io.qfuse.qcow2", "io.qfuse.fuse", "io.qfuse.cli");
    }

    @Test
    void modules_depend_in_one_direction_only() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("cache")
                .definedBy("io.qfuse.cache..")
                .layer("qcow2-core")
                .definedBy("io.qfuse.qcow2..")
                .layer("fuse-mount")
                .definedBy("io.qfuse.fuse..")
                .layer("cli")
                .definedBy("io.qfuse.cli..")
                .whereLayer("cli")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("fuse-mount")
                .mayOnlyBeAccessedByLayers("cli")
                .whereLayer("qcow2-core")
                .mayOnlyBeAccessedByLayers("fuse-mount", "cli")
                .whereLayer("cache")
                .mayOnlyBeAccessedByLayers("qcow2-core")
                .check(PRODUCT);
    }

    @Test
    void format_is_bytes_in_and_values_out() {
        noClasses()
                .that()
                .resideInAPackage("io.qfuse.qcow2.format..")
                .should()
                .dependOnClassesThat()
                .areAssignableTo(HostFile.class)
                .orShould()
                .dependOnClassesThat()
                .areAssignableTo(Files.class)
                .orShould()
                .dependOnClassesThat()
                .areAssignableTo(FileChannel.class)
                .orShould()
                .dependOnClassesThat()
                .resideInAnyPackage("io.qfuse.qcow2.io..", "java.net..", "jnr..")
                .check(PRODUCT);
    }

    @Test
    void foreign_libraries_stay_where_they_are_wrapped() {
        onlyIn("com.github.benmanes.caffeine..", "io.qfuse.cache..");
        onlyIn("ru.serce..", "io.qfuse.fuse.jnr..");
        onlyIn("picocli..", "io.qfuse.cli..");
        onlyIn("com.github.luben..", "io.qfuse.qcow2.codec..");
        onlyIn("tools.jackson..", "io.qfuse.qcow2.reference..");
        onlyIn("org.bouncycastle..", "io.qfuse.qcow2.crypto..");
        onlyIn("org.HdrHistogram..", "io.qfuse.fuse..");
        onlyIn("jnr..", "io.qfuse.qcow2.io..", "io.qfuse.qcow2.codec..", "io.qfuse.fuse..");
        onlyIn("com.kenai.jffi..", "io.qfuse.qcow2.io..", "io.qfuse.fuse..");
    }

    private static void onlyIn(String library, String... packages) {
        noClasses()
                .that()
                .resideOutsideOfPackages(packages)
                .and()
                .haveNameNotMatching(COMMAND_LINE_CALLS)
                .should()
                .dependOnClassesThat()
                .resideInAPackage(library)
                .check(PRODUCT);
        assertThat(PRODUCT.stream()
                        .flatMap(type -> type.getDirectDependenciesFromSelf().stream())
                        .map(dependency -> dependency.getTargetClass().getPackageName()))
                .as("someone uses %s", library)
                .anyMatch(name -> (name + ".").startsWith(library.replace("..", ".")));
    }

    @Test
    void packages_below_the_door_of_the_core_have_no_cycles() {
        slices().matching("io.qfuse.qcow2.(*)..").should().beFreeOfCycles().check(PRODUCT);
    }
}
