/* SPDX-License-Identifier: Apache-2.0 */
/* The head: magic, version, length, name, digest, and the signature of what stands before it. */
#include "common/patterns/sealed.h"

#include "common/patterns/database.h"

#include <guard/crypto.h>

#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

struct head {
    char magic[8];
    uint32_t version;
    uint32_t reserved; /* 0 */
    uint64_t len;
    uint8_t name[GUARD_DIGEST_BYTES];
    uint8_t content[GUARD_DIGEST_BYTES];
    uint8_t zeros[104];
    uint8_t signature[GUARD_SIGNATURE_BYTES];
};
_Static_assert(sizeof(struct head) == SEALED_HEAD_BYTES, "the head has no gaps");

static const char magic[8] = {'G', 'U', 'A', 'R', 'D', 'P', 'A', 'T'};

static struct guard_span signed_part(const struct head *head)
{
    return (struct guard_span){(const uint8_t *)head, sizeof(*head) - GUARD_SIGNATURE_BYTES};
}

enum guard_rc seal(struct guard_span database, const uint8_t name[GUARD_DIGEST_BYTES],
                   const uint8_t secret[64], uint8_t **out, size_t *len)
{
    struct head head = {.version = VERSION, .len = database.len};
    if (database.len > PATTERN_DATABASE_BYTES)
        return GUARD_E_LIMIT;
    memcpy(head.magic, magic, sizeof(magic));
    memcpy(head.name, name, sizeof(head.name));
    guard_digest(head.content, database);
    guard_sign(head.signature, signed_part(&head), secret);
    *len = sizeof(head) + database.len;
    *out = malloc(*len);
    if (*out == NULL)
        return GUARD_E_NOMEM;
    memcpy(*out, &head, sizeof(head));
    if (database.len > 0)
        memcpy(*out + sizeof(head), database.ptr, database.len);
    return GUARD_OK;
}

enum guard_rc sealed_open(struct sealed *out, struct guard_span bytes, uint64_t file_len,
                          const uint8_t public_key[GUARD_KEY_BYTES], struct guard_err *err)
{
    struct head head;
    if (bytes.len < sizeof(head) || file_len < sizeof(head))
        return guard_fail(err, GUARD_E_SYNTAX, "is shorter than a head");
    memcpy(&head, bytes.ptr, sizeof(head));
    if (memcmp(head.magic, magic, sizeof(magic)) != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "is no database of patterns");
    if (head.version != VERSION)
        return guard_fail(err, GUARD_E_VERSION, "has version %u", head.version);
    if (guard_verify(head.signature, signed_part(&head), public_key) != GUARD_OK)
        return guard_fail(err, GUARD_E_SIGNATURE, "wasn't made by this node");
    if (head.len > PATTERN_DATABASE_BYTES || head.len != file_len - sizeof(head))
        return guard_fail(err, GUARD_E_SYNTAX, "has another length than its head says");
    memcpy(out->name, head.name, sizeof(out->name));
    memcpy(out->content, head.content, sizeof(out->content));
    out->len = head.len;
    return GUARD_OK;
}

enum guard_rc sealed_read(struct sealed *out, struct guard_span file,
                          const uint8_t public_key[GUARD_KEY_BYTES], struct guard_span *database,
                          struct guard_err *err)
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    GUARD_TRY(sealed_open(out, file, file.len, public_key, err));
    *database = (struct guard_span){file.ptr + SEALED_HEAD_BYTES, (size_t)out->len};
    guard_digest(digest, *database);
    return memcmp(digest, out->content, sizeof(digest)) == 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_CHECKSUM, "its bytes aren't those that were signed");
}
