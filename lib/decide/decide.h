/* SPDX-License-Identifier: Apache-2.0 */
/* The decision on one message, request or response: its profile against a policy. What deviates
 * becomes a candidate; the strongest candidates become the verdict's findings. Nothing is written
 * for people before that, so a request full of deviations costs little more than a benign one.
 * docs/internals/decide.md */
#ifndef GD_DECIDE_DECIDE_H
#define GD_DECIDE_DECIDE_H

#include "policy/evidence.h"
#include "policy/policy.h"
#include "profile/profile.h"

enum {
    GD_CANDIDATES = 32,
    GD_GROUP_NONE = GD_EVIDENCE_ALONE, /* depends on no other candidate */
    GD_GROUP_FAULT = 0xffff0000,       /* plus the location */
    GD_FINDING_NAME_MAX = 256,         /* bytes of a name; longer ones are cut */
};

struct gd_candidate {
    enum guard_rule rule;
    enum guard_location location;
    uint32_t field; /* of the profile, or GD_NO_FIELD */
    uint32_t known; /* field of the policy, or GD_POLICY_NONE */
    uint32_t group; /* candidates of one value depend on each other */
    uint32_t detail;
    uint32_t expected;
    uint32_t values;
    uint32_t clients;
    uint16_t strength;
    uint16_t extra;     /* that its weight has more than others of its rule */
    uint16_t weighted;  /* strength with the rule's prior */
    uint32_t exception; /* that covers it, or GD_NO_EXCEPTION: set when it is added */
    bool alike;         /* reads like an attack */
    bool pending;       /* seen before, without support: never blocks alone */
    bool configured;
};

struct gd_patch_scope;

/* What holds for headers and cookies: known of the service's requests, or of its responses of one
 * class of status. */
struct gd_common {
    bool known;
    uint32_t owner; /* of the fields: an endpoint, or GD_POLICY_NONE: the service */
    struct gd_policy_range required;
    const uint16_t *strength;
    const uint64_t *faults;
    uint32_t exchanges;
    uint32_t clients;
};

/* Where the texts of one finding are, in the arena. A message that goes on is judged again and
 * again, and each time the same room is written. */
struct gd_finding_room {
    uint8_t *observed;
    uint8_t *path; /* NULL until a name needs it */
};

/* One decision with its work space; lives in the arena and isn't zeroed. */
struct gd_decision {
    struct guard_verdict verdict;
    struct guard_span template_text;

    enum guard_part part;
    bool partial;        /* the message goes on: nothing is missing yet */
    bool shadow;         /* the revision is new: guard_txn_shadow */
    bool exempt;         /* learned rules don't hold */
    bool values_only;    /* but for those on values of the target: OPTIONS */
    bool bodyless;       /* a response that can't have a body, or only a part of it */
    uint32_t mode;       /* enum guard_mode that holds for it */
    uint32_t methods_at; /* with values_only: the node of the path's other methods, or
                            GD_POLICY_NONE */
    const struct guard_policy *policy;
    const struct gd_profile *profile;
    struct gd_common common;
    struct guard_arena *arena;
    struct gd_hash_memo *memo;                 /* of literals, or NULL */
    const struct gd_policy_endpoint *endpoint; /* NULL: none, or only a pending one */
    uint32_t endpoint_index;
    uint64_t wildcards;     /* bit per path segment that a wildcard took */
    uint16_t strength_path; /* of the new segment, where the path doesn't fit */
    uint16_t misfit_limit;  /* no rule of the endpoint is stronger; UINT16_MAX: the path fits */
    uint32_t *known;        /* per field of the profile: field of the policy or GD_POLICY_NONE */
    uint32_t known_cap;     /* in the arena, kept from one check to the next; 0 at first */
    const struct gd_profile *asked;     /* of the request that the message is or answers */
    const struct gd_patch_scope *scope; /* of it, for exceptions; NULL: none is in force */
    uint64_t now_ms;                    /* 0: not known */
    bool exceptions_known;
    uint64_t exceptions; /* in force for this message, a bit for each; once they are known */
    uint32_t required;   /* names that must be there */
    uint32_t found;      /* of these */
    uint32_t names_read; /* unknown ones, for what they read like */
    uint32_t candidate_count;
    struct gd_candidate candidates[GD_CANDIDATES];
    uint32_t room_count; /* of rooms; 0 at first */
    struct gd_finding_room rooms[GUARD_FINDINGS_MAX];
};

/* What a decision is made with. */
struct gd_deciding {
    const struct guard_policy *policy; /* NULL: PASS */
    struct gd_hash_memo *memo;         /* may be NULL */
    struct guard_arena *arena;
    bool partial;
    bool shadow;
    const struct gd_patch_scope *scope; /* of the request, for exceptions; NULL: not known */
    uint64_t now_ms;                    /* 0: not known. Either: no exception is in force */
};

/* Fills decision->verdict, its texts in the arena. */
void gd_decide(struct gd_decision *decision, const struct gd_deciding *deciding,
               const struct gd_profile *profile);
/* The same of the response to what `request` was decided on, under the same policy. */
void gd_decide_answer(struct gd_decision *decision, const struct gd_deciding *deciding,
                      const struct gd_profile *profile, const struct gd_decision *request);
/* The mode that holds for a response of that status. */
uint32_t gd_answer_mode(const struct gd_decision *request, uint32_t status);
/* How many milliseconds a response may take until that is a deviation; UINT32_MAX: any. */
uint32_t gd_deadline_ms(const struct gd_decision *request);
/* The response takes that long. */
void gd_decide_late(struct gd_decision *decision, const struct gd_decision *request,
                    uint32_t waited_ms, uint64_t now_ms);
/* Sorts the candidates and gives the verdict. */
void gd_judge(struct gd_decision *decision, uint32_t mode);

/* Called by the rules. strength 0: the rule isn't armed, nothing happens. Weights and pending are
 * applied here. */
void gd_candidate_add(struct gd_decision *decision, const struct gd_candidate *candidate);

/* walk.c: finds the endpoint; PATH and METHOD. */
void gd_walk(struct gd_decision *decision);
/* misfit.c: bit per segment that can be a value only, as no route is named by syntax. */
uint64_t gd_misfit_segments(const struct gd_profile *profile);
/* How strong a rule may be at an endpoint whose wildcard the path doesn't fit. strength_path: of a
 * new segment at that place. */
uint16_t gd_misfit_limit(const struct gd_decision *decision, uint16_t strength_path);
/* What remains of a candidate then. */
struct gd_candidate gd_misfit_limited(const struct gd_decision *decision,
                                      const struct gd_candidate *candidate);
/* rules_answer.c: status, leaks. */
void gd_rules_answer(struct gd_decision *decision, const struct gd_decision *request);
/* rules_message.c: content type, size, depth, faults, client. */
void gd_rules_message(struct gd_decision *decision);
/* Faults (bits) at a location that are new here. */
void gd_rules_faults(struct gd_decision *decision, uint32_t location, uint64_t found);
/* rules_field.c: one known field. */
void gd_rules_field(struct gd_decision *decision, uint32_t index, uint32_t known_index);
/* options.c: whether a candidate is of a value, in a target that other methods have as well. */
bool gd_options_value(const struct gd_candidate *candidate);
/* The values of the target, by what any method has there. Returns the mode, the mildest of all. */
uint32_t gd_rules_options(struct gd_decision *decision);
/* rules_likeness.c: a field of the profile reads like what isn't known at its place. known_index:
 * of the policy, or GD_POLICY_NONE; then its name is read, too. */
void gd_rules_likeness(struct gd_decision *decision, uint32_t index, uint32_t known_index);
/* fields.c: every field, unknown and missing names. */
void gd_rules_fields(struct gd_decision *decision);

/* score.c, in hundredths of a decade. alike: what the message reads like counts, too. */
uint16_t gd_score(const struct gd_candidate *candidates, uint32_t count, bool alike,
                  uint16_t threshold);

/* novel.c: whether what would block is made of new elements only, and nothing reads like an attack;
 * then the verdict says so, and doesn't block what is let in. Only asked of what blocks, after the
 * candidates were sorted. */
void gd_judge_novel(struct gd_decision *decision);

/* words.c: the classes of guard_class_is_syntax, as bits. */
extern const uint64_t gd_syntax_classes;

/* finding.c: the finding of the candidate with this index, and its texts. */
void gd_finding_fill(struct gd_decision *decision, uint32_t index);
/* The name of its place. May be in the room. */
struct guard_span gd_finding_name(const struct gd_decision *decision,
                                  const struct gd_candidate *candidate,
                                  uint8_t room[GD_FINDING_NAME_MAX]);

/* explain_client.c: what a client does, of findings by guard/client.h. False when it is another. */
struct gd_line;
bool gd_explain_client(struct gd_line *line, const struct guard_finding *finding);
bool gd_explain_client_observed(struct gd_line *line, const struct guard_finding *finding);
bool gd_explain_client_expected(struct gd_line *line, const struct guard_finding *finding);

#endif
