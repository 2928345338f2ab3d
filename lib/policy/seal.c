/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that knows what is signed. */
#include "policy/seal.h"
#include "policy/format.h"

#include "base/wire.h"

#define PURPOSE GUARD_SPAN_LITERAL("guard policy signature 1")
enum { MESSAGE_MAX = 24 + 1 + 128 + 8 + GUARD_DIGEST_BYTES + 8 };

/* What is signed. */
static struct guard_span message(uint8_t out[MESSAGE_MAX], struct guard_span service,
                                 uint64_t generation, const uint8_t *digest)
{
    struct gd_writer writer;
    gd_writer_init(&writer, out, MESSAGE_MAX);
    gd_put_bytes(&writer, PURPOSE);
    gd_put_string(&writer, service);
    gd_put_u64(&writer, generation);
    gd_put_bytes(&writer, gd_span(digest, GUARD_DIGEST_BYTES));
    return gd_span(out, writer.len);
}

void gd_policy_seal(uint8_t *bytes, size_t len, struct guard_span service, const uint8_t *secret)
{
    struct gd_policy_header *header = (void *)bytes;
    uint8_t *digest = bytes + len - GD_POLICY_TRAILER;
    if (secret != NULL) {
        uint8_t signer[GUARD_DIGEST_BYTES];
        guard_digest(signer, gd_span(secret + 32, GUARD_KEY_BYTES));
        memcpy(header->signer, signer, sizeof(header->signer));
        header->flags |= GD_POLICY_SIGNED;
    }
    guard_digest(digest, gd_span(bytes, len - GD_POLICY_TRAILER));
    if (secret != NULL) {
        uint8_t buffer[MESSAGE_MAX];
        guard_sign(digest + GUARD_DIGEST_BYTES,
                   message(buffer, service, header->generation, digest), secret);
    }
}

enum guard_rc gd_policy_seal_verify(struct guard_span bytes, struct guard_span service,
                                    const uint8_t *public_key)
{
    const struct gd_policy_header *header = (const void *)bytes.ptr;
    const uint8_t *digest = bytes.ptr + bytes.len - GD_POLICY_TRAILER;
    uint8_t buffer[MESSAGE_MAX];
    if (!(header->flags & GD_POLICY_SIGNED) || service.len > 128)
        return GUARD_E_SIGNATURE;
    return guard_verify(digest + GUARD_DIGEST_BYTES,
                        message(buffer, service, header->generation, digest), public_key);
}
