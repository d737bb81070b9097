package io.qfuse.qcow2;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.crypto.GuestCipher;
import io.qfuse.qcow2.crypto.LuksHeader;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.store.EncryptedData;
import io.qfuse.qcow2.store.GuestData;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Puts the encryption that an image's header names before where its guest data are stored (format notes, section 10). */
final class Encryption {

    private Encryption() {}

    /**
     * Guest data as the guest sees them.
     *
     * @param stored the bytes as they are stored
     * @param file the image's own file, which holds what tells the key
     * @param secret opens an encrypted image; null opens only others
     * @throws Qcow2Exception of kind NO_KEY where a passphrase is missing or wrong
     */
    static GuestData over(GuestData stored, HostFile file, Header header, @Nullable Passphrase secret)
            throws IOException {
        if (header.cryptMethod() == 0) {
            return stored;
        }
        boolean legacy = header.cryptMethod() == Header.CRYPT_AES;
        if (secret == null) {
            throw new Qcow2Exception(
                    Kind.NO_KEY,
                    file.path(),
                    "is encrypted (" + (legacy ? "legacy AES" : "LUKS") + "): give --passphrase-file");
        }
        GuestCipher cipher = legacy
                ? GuestCipher.legacy(secret.bytes())
                : GuestCipher.luks(file, LuksHeader.read(file, header), secret.bytes());
        return new EncryptedData(stored, cipher, legacy);
    }
}
