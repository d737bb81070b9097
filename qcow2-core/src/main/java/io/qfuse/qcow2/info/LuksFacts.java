package io.qfuse.qcow2.info;

import io.qfuse.qcow2.crypto.KeySlot;
import io.qfuse.qcow2.crypto.LuksHeader;
import java.util.LinkedHashMap;
import java.util.Map;

/** The facts about a LUKS header under the names that qemu-img gives them, and in its order. */
final class LuksFacts {

    private LuksFacts() {}

    static Map<String, Object> of(LuksHeader luks) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("ivgen-alg", luks.iv());
        facts.put("hash-alg", luks.hashName());
        facts.put("cipher-alg", luks.cipher());
        facts.put("uuid", luks.uuid());
        if (!luks.ivHash().isEmpty()) {
            facts.put("ivgen-hash-alg", luks.ivHash());
        }
        facts.put("format", "luks");
        facts.put("cipher-mode", luks.mode());
        facts.put("slots", luks.slots().stream().map(LuksFacts::slot).toList());
        facts.put("payload-offset", luks.payloadOffset());
        facts.put("master-key-iters", luks.digestIterations());
        return facts;
    }

    private static Map<String, Object> slot(KeySlot slot) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("active", slot.active());
        if (slot.active()) {
            facts.put("iters", slot.iterations());
        }
        facts.put("key-offset", slot.materialOffset());
        if (slot.active()) {
            facts.put("stripes", slot.stripes());
        }
        return facts;
    }
}
