/* SPDX-License-Identifier: Apache-2.0 */
/* Who is let in, by whatever they show: what guardd itself knows, or what a cluster says. */
#ifndef GUARDD_API_ADMISSION_H
#define GUARDD_API_ADMISSION_H

#include "accounts.h"
#include "api.h"

struct admission {
    struct credentials credentials;
    struct accounts *accounts; /* NULL: no cluster is asked */
};

/* cluster and keep_ms: as accounts_open, NULL: none. admission_fini in any case. GUARD_E_IO,
 * GUARD_E_NOMEM, and what is wrong with cluster. */
GUARD_MUST_USE enum guard_rc admission_init(struct admission *admission, const char *dir,
                                            const char *cluster, uint64_t keep_ms,
                                            struct guard_err *err);
void admission_fini(struct admission *admission);
/* As credentials_check and accounts_check. */
enum credentials_answer admission_check(struct admission *admission,
                                        const struct credentials_given *given, bool cheap,
                                        struct api_access *out, unsigned *retry_s);
/* Whether who was let in may still be; access is read anew. */
bool admission_still(struct admission *admission, struct api_access *access);
/* The problem of who isn't let in. */
void admission_refuse(struct api_response *response, enum credentials_answer answer,
                      unsigned retry_s);

#endif
