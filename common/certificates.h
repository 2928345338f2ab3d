/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities and the certificates of servers that they sign: P-256, as PEM texts. The only file
 * behind it that asks OpenSSL. */
#ifndef GUARD_COMMON_CERTIFICATES_H
#define GUARD_COMMON_CERTIFICATES_H

#include <guard/types.h>

enum {
    CERTIFICATE_CAP = 4096, /* of a PEM text */
    CERTIFICATE_NAMES_MAX = 8,
    CERTIFICATE_NAME_MAX = 253,
    CERTIFICATE_EARLY_S = 3600, /* others' clocks may be behind by so much */
};

/* A certificate with its key; "" when there is none. Whoever keeps one overwrites it at the end. */
struct certificate {
    char text[CERTIFICATE_CAP];
    char key[CERTIFICATE_CAP];
};

/* What a server is called, each a DNS name or an address. */
struct certificate_names {
    char list[CERTIFICATE_NAMES_MAX][CERTIFICATE_NAME_MAX + 1];
    uint32_t count;
};

/* Names separated by commas. GUARD_E_RANGE: none, too many, or one that is no name. */
GUARD_MUST_USE enum guard_rc certificate_names_read(struct certificate_names *out, const char *text,
                                                    struct guard_err *err);
/* A new authority that signs servers' certificates and nothing else. GUARD_E_IO: OpenSSL's words;
 * out is empty then. */
GUARD_MUST_USE enum guard_rc authority_make(struct certificate *out, const char *name,
                                            uint64_t now_ms, uint64_t valid_ms,
                                            struct guard_err *err);
/* A new certificate for a server, signed by the authority; it ends with it at the latest. */
GUARD_MUST_USE enum guard_rc certificate_make(struct certificate *out,
                                              const struct certificate *authority,
                                              const struct certificate_names *names,
                                              uint64_t now_ms, uint64_t valid_ms,
                                              struct guard_err *err);
/* When it ends, Unix time. False: it can't be read. */
bool certificate_end(const char *text, uint64_t *ends_ms);
/* Whether the key is the certificate's. */
bool certificate_has_key(const struct certificate *certificate);
/* Whether a client that trusts this authority alone would talk with a server so called by it, but
 * for its time. */
bool certificate_serves(const struct certificate *certificate, const char *authority,
                        const struct certificate_names *names);
/* Overwrites both; there is none then. */
void certificate_wipe(struct certificate *certificate);

#endif
