/* SPDX-License-Identifier: Apache-2.0 */
/* One run over a set of data: learn each service from its training files as `guard learn` does,
 * judge the rest as `guard check` does, and count. Labels are read for counting only. */
#ifndef GUARD_CLI_EVAL_RUN_H
#define GUARD_CLI_EVAL_RUN_H

#include "eval_dataset.h"
#include "eval_minmax.h"
#include "eval_probe.h"
#include "eval_table.h"
#include "eval_tally.h"
#include "traffic_steps.h"

#include <guard/likeness.h>

enum {
    EVAL_ALPHAS_MAX = 4,
    EVAL_DETECTORS_MAX = 24,
    EVAL_SERVICES_MAX = 256,
    EVAL_CELLS_MAX = 1024,
    EVAL_CELL_KEY_MAX = 160
};

enum eval_column {
    EVAL_NOVELTY,
    EVAL_LIKENESS,
    EVAL_LEFT_OUT, /* likeness without the class of the attack; filled by eval_left_out.c */
    EVAL_SIGNATURES,
    EVAL_MINMAX,
    EVAL_MODSECURITY
};
const char *eval_column_name(enum eval_column column);
/* Whether this build has it; what it hasn't is printed as not built, never as a copy. */
bool eval_column_built(enum eval_column column);

struct eval_detector {
    enum eval_column column;
    double alpha; /* 0: it knows none */
};

struct eval_settings {
    double alphas[EVAL_ALPHAS_MAX];
    int alpha_count;
    uint32_t support;
    uint64_t learn_max;        /* of each service the newest so many are learned; 0: all */
    uint32_t likeness_without; /* classes (bits) that nothing is recognised of; judged is
                                * the column + likeness on the attacks of these only */
    bool left_out;             /* the column EVAL_LEFT_OUT, too */
    bool one_column;           /* only the last column that is built, as it is shipped */
    bool baseline;             /* the min/max learner, too */
    struct eval_modsecurity *modsecurity; /* or NULL */
};

struct eval_service {
    char name[129];
    struct guard_pile *pile;
    struct guard_span span; /* of the name */
    uint8_t key[GUARD_KEY_BYTES];
    uint64_t producer;
    int named;        /* files that had their turn, that one included */
    uint64_t offered; /* exchanges to be learned, counted where only the newest are */
    uint64_t passed;  /* of these, those that had their turn */
    uint64_t trained;
    uint64_t with_client;
    uint64_t timed;
    uint64_t unlearned; /* refused by the pile: replays */
    bool ready;
    uint32_t endpoints;
    uint32_t elements; /* trusted: guard_model_elements */
    size_t pile_bytes;
    size_t policy_bytes;
    struct guard_policy *policies[EVAL_DETECTORS_MAX];
    uint8_t *bytes[EVAL_DETECTORS_MAX];
    struct eval_minmax *minmax;
    struct eval_tally tallies[EVAL_DETECTORS_MAX];
};

/* What came of a run without a class of likeness, by the settings' alphas: attacks of this class,
 * and all else. */
struct eval_left_out {
    enum guard_likeness class_out;
    struct eval_tally tallies[EVAL_ALPHAS_MAX];
};

/* Attacks of one class, location and encoding, or of one class when class_only. */
struct eval_cell {
    char key[EVAL_CELL_KEY_MAX];
    bool class_only;
    struct eval_share shares[EVAL_DETECTORS_MAX];
};

struct eval_run {
    const struct eval_settings *settings;
    const struct eval_set *set;
    struct eval_detector detectors[EVAL_DETECTORS_MAX];
    int detector_count;
    int shipped; /* the detector with everything that is built, at the headline's alpha */
    struct eval_service *services[EVAL_SERVICES_MAX];
    int service_count;
    struct eval_cell *cells;
    int cell_count;
    struct eval_left_out left_out[GUARD_LIKENESS_COUNT];
    int left_out_count;
    const char *left_out_skipped; /* why, or NULL */
    struct eval_probe probe;
    struct eval_table seen;    /* request keys: 1 = had */
    struct eval_table clients; /* of benign exchanges: a bit per detector that blocked it, and 31 */
    struct traffic_room room;
    struct guard_arena scratch; /* labels, keys */
    uint64_t judged;
    uint64_t unlabelled;
    uint64_t unknown_service; /* of services that nothing was learned of: left out */
    uint64_t unreadable;
    uint64_t nanoseconds; /* of the shipped detector */
    uint64_t learn_nanoseconds;
    uint8_t digest[GUARD_DIGEST_BYTES]; /* of the settings and of all files */
    /* For those who look at single exchanges (poison, drift); NULL otherwise. */
    void (*judged_fn)(void *ctx, const struct guard_exchange *exchange, struct guard_span line,
                      const struct eval_label *label, const struct eval_service *service,
                      const struct guard_verdict *verdict);
    /* Before each exchange is learned; returns false to stop. */
    bool (*learning_fn)(void *ctx, struct eval_run *run, struct eval_service *service,
                        const struct guard_exchange *exchange);
    /* Before that: what is learned may be changed. May be NULL. */
    void (*changing_fn)(void *ctx, struct eval_run *run, struct eval_service *service,
                        struct guard_exchange *exchange);
    void *ctx;
};

/* settings and set must outlive the run. False after a message. */
bool eval_run_open(struct eval_run *run, const struct eval_settings *settings,
                   const struct eval_set *set);
bool eval_run_learn(struct eval_run *run, const char *label);
/* Models and policies of what was learned. */
bool eval_run_compile(struct eval_run *run);
bool eval_run_judge(struct eval_run *run, const char *label);
/* All of them. */
bool eval_run(struct eval_run *run, const struct eval_settings *settings,
              const struct eval_set *set, const char *label);
void eval_run_close(struct eval_run *run);

/* The service of a name, new ones with an empty pile; NULL after a message. */
struct eval_service *eval_run_service(struct eval_run *run, struct guard_span name);
/* Model and policies of one service anew. */
bool eval_service_compile(struct eval_run *run, struct eval_service *service);
/* Sum over services. */
struct eval_tally eval_run_pool(const struct eval_run *run, int detector);
uint64_t eval_nanoseconds(void);
/* The detector of a column at an alpha (the first one when it is 0); -1 when there is none. */
int eval_run_detector(const struct eval_run *run, enum eval_column column, double alpha);
/* The alpha whose classes are shown: the shipped one when it is asked for, else the first. */
double eval_headline(const struct eval_settings *settings);

#endif
