/* SPDX-License-Identifier: Apache-2.0 */
/* A patch for an exploit that can be trusted as far as it says: generalised, held against the
 * exploit, other writings of it and benign requests, narrowed where it stops some of these, and
 * explained. The same for the command line and for the API. */
#ifndef GUARD_COMMON_PROPOSE_H
#define GUARD_COMMON_PROPOSE_H

#include "common/generalise/generalise.h"
#include "common/json_writer.h"
#include "common/line_sink.h"

#include <guard/guardian.h>
#include <guard/model.h>

/* How often a patch hit. */
struct proposal_rate {
    uint64_t hits;
    uint64_t of;
};
struct proposal_rates {
    struct proposal_rate exploit;
    struct proposal_rate rewritten; /* the exploit in other codings */
    struct proposal_rate benign;
};

/* Takes one benign request. GUARD_E_NOMEM. */
typedef enum guard_rc proposal_take(void *ctx, const struct guard_exchange *exchange,
                                    struct guard_err *err);
/* Requests that the patch mustn't stop. each calls take with one after the other, and may be called
 * several times; it hands on what take returns. NULL: none are known. */
struct proposal_benign {
    enum guard_rc (*each)(void *ctx, proposal_take *take, void *take_ctx, struct guard_err *err);
    void *ctx;
};

/* Zeroed: nothing is known, nothing was said. */
struct proposal_cfg {
    const struct guard_guardian *guardian; /* of the service, with model; NULL: nothing is known */
    const struct guard_model *model;       /* what it learned; NULL: configured criteria only */
    struct proposal_benign benign;
    struct guard_span id, title, author, reason; /* ptr NULL: the exploit's */
};

/* How much of the service's traffic a patch looks at. */
struct proposal_reach {
    bool known;
    uint64_t exchanges; /* that were learned from, at endpoints that may be in its scope; at most */
    uint64_t of;
};

struct proposal {
    struct generalised made; /* the patch is in mode shadow */
    struct proposal_rates rates;
    struct proposal_rate before; /* of benign requests, before it was narrowed */
    bool benign_asked;
    bool enforceable; /* stops no benign request that is known; else its action is alert */
    struct proposal_reach reach;
};

/* The exploit and what cfg names must outlive out. GUARD_OK also when nothing tells the exploit
 * from other requests (made.narrowness NOTHING; there are no rates then). GUARD_E_RANGE and others
 * of guard_patch_check: what was said, or what it would be, is no patch; GUARD_E_NOMEM. The caller
 * ends it in any case. */
GUARD_MUST_USE enum guard_rc propose(struct proposal *out, const struct exploit *exploit,
                                     const struct proposal_cfg *cfg, struct guard_err *err);
void proposal_fini(struct proposal *proposal);
/* Whether it stops every request that it is made of. */
bool proposal_whole(const struct proposal *proposal);

/* What people should know of it, in lines: how narrow it is, the rates, what is kept and left out
 * and why. */
void proposal_lines(const struct exploit *exploit, const struct proposal *proposal,
                    const struct line_sink *sink);
/* The same as members of an object that is open, with the patch as a document ("" when there is
 * none) in `document`. arena: for that. */
GUARD_MUST_USE enum guard_rc proposal_json(struct json_writer *json, const struct exploit *exploit,
                                           const struct proposal *proposal,
                                           struct guard_arena *arena, struct guard_err *err);

#endif
