/* SPDX-License-Identifier: Apache-2.0 */
/* An authority of our own and the certificate that it signed, as they stand in a Secret that
 * several replicas share, and what is due with them. A new authority is trusted before anything is
 * signed by it, and the one before it for as long as its certificates may be in use. */
#ifndef GUARD_COMMON_KUBERNETES_AUTHORITY_H
#define GUARD_COMMON_KUBERNETES_AUTHORITY_H

#include "common/certificates.h"
#include "common/document.h"
#include "common/json_writer.h"

enum {
    AUTHORITY_BUNDLE_CAP = 3 * CERTIFICATE_CAP,
    AUTHORITY_SECRET_CAP = 64 * 1024,
    AUTHORITY_LIVES = 4, /* it is valid so many times as long as what it signs */
};
#define AUTHORITY_RENEW "guard.security/renew" /* an annotation that asks for a new authority */

struct authority_cfg {
    struct certificate_names names;
    uint64_t valid_ms;   /* of a server's certificate */
    uint64_t overlap_ms; /* between trusting an authority and using it, and from then to the end of
                            trust in the one before */
};

struct authority {
    struct certificate signer;
    struct certificate next; /* trusted, and not used yet */
    char before[CERTIFICATE_CAP];
    struct certificate server;
    uint64_t since_ms; /* Unix time: when next or before came */
    bool renew;        /* somebody asks for a new one */
};

/* What a Secret holds: all of it, or nothing when it isn't whole, which then is made anew. */
void authority_read(struct authority *out, const struct document_node *secret);
/* The members "data" and "metadata.annotations" of a merge patch. */
void authority_write(const struct authority *authority, struct json_writer *json);
/* Does one thing that is due. *changed: it must be in the Secret before anything else is done by
 * it. trusted_ms: for how long all of the bundle is known to be trusted by those who call; 0: it
 * isn't. GUARD_E_IO: as authority_make. */
GUARD_MUST_USE enum guard_rc authority_step(struct authority *authority,
                                            const struct authority_cfg *cfg, uint64_t now_ms,
                                            uint64_t trusted_ms, bool *changed,
                                            struct guard_err *err);
/* Whom callers must trust. */
void authority_bundle(const struct authority *authority, char out[AUTHORITY_BUNDLE_CAP]);
/* For how long the server's certificate still holds; 0: there is none. */
uint64_t authority_left_ms(const struct authority *authority, uint64_t now_ms);
void authority_wipe(struct authority *authority);

#endif
