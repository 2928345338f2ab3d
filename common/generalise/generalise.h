/* SPDX-License-Identifier: Apache-2.0 */
/* From an exploit to a patch: what of its requests is kept because the exploit is none without it,
 * what is left out, and why. What this makes is a proposal in mode shadow; nothing of it depends on
 * which product is attacked. */
#ifndef GUARD_COMMON_GENERALISE_H
#define GUARD_COMMON_GENERALISE_H

#include "common/exploit/exploit.h"

#include <guard/capture.h>

enum {
    GENERALISE_LINES_MAX = 512, /* of the explanation; more are counted */
    GENERALISE_MEMORY_MAX = 256 << 20,
};

/* How narrow a patch is, the narrowest first: whom it stops beside the exploit. */
enum generalise_narrowness {
    GENERALISE_SYNTAX,   /* only what reads like such an attack in that place */
    GENERALISE_VALUES,   /* only requests with these values */
    GENERALISE_NAMES,    /* all requests with these names: everybody who uses the function */
    GENERALISE_ENDPOINT, /* all requests to the endpoint */
    GENERALISE_NOTHING,  /* no patch: nothing tells the exploit from other requests */
};

enum generalise_step {
    GENERALISE_STEP_KEPT,
    GENERALISE_STEP_STATE, /* asks for what another step needs, or looks at what it did */
    GENERALISE_STEP_USUAL, /* nothing in it that others don't send */
};

/* One thing that was kept or left out. */
struct generalise_line {
    uint32_t request; /* index; of the exploit */
    bool kept;
    struct guard_span text; /* UTF-8 as far as the exploit is; not cleaned for terminals */
};

/* What the service is known to get, by its own pile. NULL members: nothing is known. */
struct generalise_known {
    void *ctx;
    /* Whether such a value is normal there: it is no evidence then. */
    bool (*normal)(void *ctx, uint32_t request, const struct guard_value *value);
    /* The path template of the request; "" when the service has none. */
    struct guard_span (*path)(void *ctx, uint32_t request);
    /* Requests that the patch mustn't stop, as they were sent, one behind the other: what reads
     * like an attack must then also hold a word that isn't in them. Empty: none are known. */
    struct guard_span benign;
};

/* Spans live in the arena, which is its own, or in the exploit. */
struct generalised {
    struct guard_arena arena;
    struct guard_patch patch; /* unless narrowness is NOTHING */
    enum generalise_narrowness narrowness;
    enum generalise_step *steps; /* for each request of the exploit */
    struct generalise_line *lines;
    uint32_t line_count;
    uint32_t lines_left_out;
    uint32_t branches_left_out; /* ways of the exploit that had no room in one patch */
};

/* known may be NULL. The exploit must outlive out. GUARD_OK also when narrowness is NOTHING;
 * GUARD_E_NOMEM. The caller ends it with generalise_fini, also after a failure. */
GUARD_MUST_USE enum guard_rc generalise(struct generalised *out, const struct exploit *exploit,
                                        const struct generalise_known *known,
                                        const struct guard_alloc *alloc, struct guard_err *err);
void generalise_fini(struct generalised *generalised);

/* "syntax", "values", "names", "endpoint", "nothing". */
const char *generalise_narrowness_name(enum generalise_narrowness narrowness);
/* A sentence for people: whom the patch stops. */
const char *generalise_narrowness_words(enum generalise_narrowness narrowness);

#endif
