package io.qfuse.qcow2.reference;

import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;

/**
 * A {@code json:} name as QEMU's flat options: {@code {"file":{"filename":"x"}}} and {@code {"file.filename":"x"}} are the same.
 * Bounded in length and depth.
 */
final class JsonTree {

    private static final int DEEPEST = 16;
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(DEEPEST)
                    .maxDocumentLength(FileReference.LONGEST)
                    .build())
            .build();

    private final Map<String, String> options = new LinkedHashMap<>();

    private JsonTree() {}

    /**
     * The options by their dotted names; numbers, booleans and null as JSON writes them.
     *
     * @throws IllegalArgumentException with the reason, where it is no object, or an option comes twice
     */
    static Map<String, String> options(String json) {
        JsonTree tree = new JsonTree();
        try (JsonParser in = FACTORY.createParser(ObjectReadContext.empty(), json)) {
            if (in.nextToken() != JsonToken.START_OBJECT) {
                throw new IllegalArgumentException("it is no JSON object");
            }
            tree.object(in, "");
            if (in.nextToken() != null) {
                throw new IllegalArgumentException("something follows its JSON object");
            }
        } catch (JacksonException e) {
            throw new IllegalArgumentException("it is no JSON: " + e.getOriginalMessage(), e);
        }
        return tree.options;
    }

    private void object(JsonParser in, String prefix) {
        while (in.nextToken() != JsonToken.END_OBJECT) {
            String name = prefix + in.currentName();
            switch (in.nextToken()) {
                case START_OBJECT -> object(in, name + ".");
                case START_ARRAY -> throw new IllegalArgumentException("\"" + name + "\" is a list");
                default -> {
                    if (options.put(name, in.getString()) != null) {
                        throw new IllegalArgumentException("\"" + name + "\" comes twice");
                    }
                }
            }
        }
    }
}
