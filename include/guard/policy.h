/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: what a gate enforces. Immutable position-independent bytes, compiled from a model and a
 * Guardian, signed; opened without copying once they were validated. docs/internals/policy.md
 * specifies the format. */
#ifndef GUARD_POLICY_H
#define GUARD_POLICY_H

#include <guard/crypto.h>
#include <guard/guardian.h>
#include <guard/model.h>

struct guard_policy; /* opaque, refcounted */

/* None is compiled that is longer, and no gate reads one. */
enum { GUARD_POLICY_BYTES_MAX = 16 * 1024 * 1024 };

/* A revision of the service that gates were seen with. */
struct guard_policy_revision {
    uint64_t id;              /* guard_revision_id */
    uint64_t shadow_until_ms; /* Unix time; 0: what is new in it is no matter */
};
/* A new element (guard_verdict.novel_elements) that isn't blocked for its newness. */
struct guard_policy_release {
    uint64_t element; /* never 0 */
    uint64_t until_ms;
};
enum { GUARD_POLICY_REVISIONS = 4, GUARD_POLICY_RELEASES = 64 };
/* Of a text, never 0; 0 of an empty one: undeclared. */
GUARD_API uint64_t guard_revision_id(struct guard_span revision);

struct guard_policy_cfg {
    struct guard_alloc alloc;
    uint64_t generation;
    uint64_t created_ms;
    uint64_t expires_ms; /* Unix time by which a newer one is to be expected; 0: never */
    double alpha;        /* 0: the Guardian's budget */
    bool configured_only;
    bool without_likeness; /* what values read like is no rule: the learned behaviour alone */
    /* A signed rollback: the newest generation (that in force) which this one may replace; 0 = no
     * rollback. */
    uint64_t replaces;
    /* Those that are known, the oldest first; the newest GUARD_POLICY_REVISIONS of them count. */
    const struct guard_policy_revision *revisions;
    uint32_t revision_count;
    const struct guard_policy_release *releases; /* at most GUARD_POLICY_RELEASES */
    uint32_t release_count;
};

/* Compiles and, with a secret key, signs. model may be NULL (configured criteria only). *out comes
 * from cfg->alloc. GUARD_E_LIMIT, GUARD_E_NOMEM, GUARD_E_FOREIGN (model of another service). */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_policy_compile(uint8_t **out, size_t *len, const struct guard_model *model,
                     const struct guard_guardian *guardian, const struct guard_policy_cfg *cfg,
                     const uint8_t secret[64], struct guard_err *err);

struct guard_policy_info {
    struct guard_span service;
    uint64_t generation;
    uint64_t created_ms;
    uint64_t expires_ms; /* 0: never. One that expired is enforced all the same: a host tells that
                            none came instead, for who keeps them back would else switch it off */
    enum guard_mode mode;
    double alpha;
    bool fail_closed;
    bool rollback;     /* signed to replace a newer generation: */
    uint64_t replaces; /* up to this one. A host then asks of the next one replaces + 1 at least */
    uint8_t digest[GUARD_DIGEST_BYTES];
    uint32_t patches;
};

/* Validation in slices, so that a gate's worker is never busy for long: feed bytes that stay where
 * they are (aligned to 8), call step until it says done. Each step does a bounded amount of work
 * (<= ~1 M instructions). */
struct guard_policy_check; /* from alloc */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_policy_check_begin(struct guard_policy_check **out, const struct guard_alloc *alloc,
                         struct guard_span bytes,
                         struct guard_span service, /* expected; empty = any */
                         const uint8_t *public_key, /* NULL = not checked */
                         uint64_t generation_min);  /* that in force; lower, and no
                                                     * rollback from it = GUARD_E_REPLAY */
/* *done is set when all is valid. GUARD_E_SYNTAX, _VERSION, _CHECKSUM, _SIGNATURE, _FOREIGN,
 * _REPLAY, _LIMIT with the reason in err. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_policy_check_step(struct guard_policy_check *check,
                                                               bool *done, struct guard_err *err);
GUARD_API void guard_policy_check_free(struct guard_policy_check *check);

/* Opens validated bytes (all steps done) which must outlive the policy. The policy is one small
 * object from alloc. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_policy_open(struct guard_policy **out,
                                                         const struct guard_alloc *alloc,
                                                         struct guard_span bytes);
/* Check and open in one go, for programs. Same errors. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_policy_load(struct guard_policy **out, const struct guard_alloc *alloc,
                  struct guard_span bytes, struct guard_span service, const uint8_t *public_key,
                  struct guard_err *err);
/* Reference counting without atomics: one process, one thread. free runs at zero; bytes are the
 * owner's. on_free may be NULL. */
GUARD_API void guard_policy_ref(struct guard_policy *policy);
GUARD_API void guard_policy_unref(struct guard_policy *policy);
GUARD_API void guard_policy_on_free(struct guard_policy *policy, void (*on_free)(void *ctx),
                                    void *ctx);
/* What the policy knows of a revision. */
enum guard_revision_state {
    GUARD_REVISION_NONE,    /* nor of any other */
    GUARD_REVISION_UNKNOWN, /* it is newer than the policy, or long gone */
    GUARD_REVISION_KNOWN,   /* *shadow_until_ms is set */
};
GUARD_API enum guard_revision_state guard_policy_revision(const struct guard_policy *policy,
                                                          uint64_t id, uint64_t *shadow_until_ms);
/* The patterns that patches of the policy ask a matcher's scan for, in ascending order of their
 * ids; index from 0. False: there is none of this index. What *out points to is the policy's. */
GUARD_API bool guard_policy_pattern(const struct guard_policy *policy, uint32_t index,
                                    struct guard_pattern *out);
/* The id of a patch; index from 0. False: there is none of this index. It is the policy's. */
GUARD_API bool guard_policy_patch(const struct guard_policy *policy, uint32_t index,
                                  struct guard_span *id);
GUARD_API void guard_policy_info(const struct guard_policy *policy, struct guard_policy_info *out);
/* A key that all who have the policy share, and that no generation of it changes: for proofs that a
 * gate which enforces it stands somewhere. False: it was compiled without a model, and has none. */
GUARD_API GUARD_MUST_USE bool guard_policy_canary_key(const struct guard_policy *policy,
                                                      uint8_t out[GUARD_KEY_BYTES]);

/* The scores that block, hundredths of -log10 p, by what deviates. */
struct guard_thresholds {
    uint16_t request;
    uint16_t alike;  /* of requests that read like attacks: reaching one of the two blocks */
    uint16_t answer; /* of responses */
    uint16_t time;
    uint16_t client;
};
/* What a policy compiled from the model with this budget of false blocks (alpha, 0 < alpha <= 0.1)
 * blocks from. model NULL: scores mean what they say. */
GUARD_API void guard_budget_thresholds(const struct guard_model *model, double alpha,
                                       struct guard_thresholds *out);
/* What the exchanges that were learned show of a budget, as shares (0..1) of benign requests that
 * are like them; both 1 when they show nothing yet. */
struct guard_budget_proof {
    double expected; /* to be blocked: the budget, or the least that so few exchanges can show */
    double at_most; /* the same with a confidence of 95 %, were each exchange by itself; above it */
};
/* The proof of the budget alpha (0 < alpha <= 0.1); model NULL: nothing is shown. Never fails.
 * Method: the budget's threshold is a rate (k + 1) / (n + 1) of benign exchanges; the limit is that
 * of a Poisson mean of which k events were seen. */
GUARD_API void guard_budget_proved(const struct guard_model *model, double alpha,
                                   struct guard_budget_proof *out);

#endif
