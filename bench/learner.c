/* SPDX-License-Identifier: Apache-2.0 */
/* Times what a learner does with piles: merging what a gate brings, and learning a policy from all
 * of it. CPU time of this process, the least of several runs; the files are read outside of it. */
#include "common/file.h"

#include <guard/model.h>
#include <guard/pile.h>
#include <guard/policy.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 9, PILE_MAX = 64 << 20 };

static double cpu_ms(void)
{
    struct timespec time = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static enum guard_rc read_pile(struct guard_pile **out, const char *path, struct guard_err *err)
{
    const struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum guard_rc rc = file_read(path, PILE_MAX, &bytes, &len, err);
    if (rc == GUARD_OK)
        rc = guard_pile_decode(out, &cfg, (struct guard_span){bytes, len}, err);
    free(bytes);
    return rc;
}

/* Milliseconds; the merged pile stays in *whole. */
static enum guard_rc merge_once(double *ms, struct guard_pile **whole, const char *const paths[2],
                                struct guard_err *err)
{
    struct guard_pile *delta = NULL;
    enum guard_merge outcome = GUARD_MERGE_CONTAINED;
    enum guard_rc rc = read_pile(whole, paths[0], err);
    if (rc == GUARD_OK)
        rc = read_pile(&delta, paths[1], err);
    double start = cpu_ms();
    if (rc == GUARD_OK)
        rc = guard_pile_merge(*whole, delta, &outcome, err);
    *ms = cpu_ms() - start;
    guard_pile_free(delta);
    if (rc == GUARD_OK && outcome != GUARD_MERGE_ADDED)
        return guard_fail(err, GUARD_E_STATE, "%s adds nothing", paths[1]);
    return rc;
}

static enum guard_rc learn_once(double *ms, struct guard_pile *pile, struct guard_err *err)
{
    const struct guard_learn_cfg learn_cfg = {.alloc = heap_alloc()};
    const struct guard_policy_cfg policy_cfg = {.alloc = heap_alloc(), .generation = 1};
    struct guard_guardian guardian;
    struct guard_model *model = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;
    double start = cpu_ms();
    enum guard_rc rc = guard_learn(&model, pile, &learn_cfg, err);
    if (rc == GUARD_OK) {
        guard_guardian_default(&guardian, model->service);
        rc = guard_policy_compile(&bytes, &len, model, &guardian, &policy_cfg, NULL, err);
    }
    *ms = cpu_ms() - start;
    guard_model_free(model);
    free(bytes);
    return rc;
}

int main(int argc, char **argv)
{
    double merge = 1e9, learn = 1e9;
    struct guard_err err = {"failed"};
    if (argc != 3) {
        (void)fputs("usage: guard-bench-learner WHOLE.pile DELTA.pile\n", stderr);
        return 2;
    }
    const char *const paths[2] = {argv[1], argv[2]};
    for (int i = 0; i < RUNS; i++) {
        double merge_ms = 0, learn_ms = 0;
        struct guard_pile *whole = NULL;
        enum guard_rc rc = merge_once(&merge_ms, &whole, paths, &err);
        if (rc == GUARD_OK)
            rc = learn_once(&learn_ms, whole, &err);
        guard_pile_free(whole);
        if (rc != GUARD_OK) {
            (void)fprintf(stderr, "guard-bench-learner: %s\n", err.text);
            return 1;
        }
        merge = merge_ms < merge ? merge_ms : merge;
        learn = learn_ms < learn ? learn_ms : learn;
    }
    (void)printf("merge_ms %.3f\nlearn_ms %.1f\n", merge, learn);
    return 0;
}
