/* SPDX-License-Identifier: Apache-2.0 */
/* Who is let in, by whatever they show: what guardd itself knows, or what a cluster says. */
#ifndef GUARDD_API_ADMISSION_H
#define GUARDD_API_ADMISSION_H

#include "accounts.h"
#include "cluster_users.h"
#include "router.h"

struct admission {
    struct credentials credentials;
    struct accounts *accounts;   /* NULL: no cluster is asked for agents */
    struct cluster_users *users; /* NULL: none is for people */
};

/* Which clusters are asked, by what the view says. admission_fini in any case. GUARD_E_IO,
 * GUARD_E_NOMEM, and what is wrong with one of them. */
GUARD_MUST_USE enum guard_rc admission_init(struct admission *admission,
                                            const struct api_view *view, struct guard_err *err);
void admission_fini(struct admission *admission);
/* As credentials_check and accounts_check. */
enum credentials_answer admission_check(struct admission *admission,
                                        const struct credentials_given *given, bool cheap,
                                        struct api_access *out, unsigned *retry_s);
/* What who was let in may, where it isn't known by that: by the cluster's word on what the route
 * needs. CREDENTIALS_ASKED as from admission_check; all others but CREDENTIALS_GOOD after a
 * problem. */
enum credentials_answer admission_authorise(struct admission *admission,
                                            const struct api_route *route,
                                            const struct services *services,
                                            struct api_request *request,
                                            struct api_response *response);
/* How often clusters answered, or gave up. */
uint64_t admission_answers(const struct admission *admission);
/* Whether who was let in may still be; access is read anew. */
bool admission_still(struct admission *admission, struct api_access *access);
/* The problem of who isn't let in. */
void admission_refuse(struct api_response *response, enum credentials_answer answer,
                      unsigned retry_s);

#endif
