/* SPDX-License-Identifier: Apache-2.0 */
/* A run for each class, with everything that a run does, so that nothing of the class is left: not
 * in what was learned, nor in the scale of scores, nor in what is judged. */
#include "eval_left_out.h"

#include "command.h"
#include "eval_cells.h"
#include "eval_own_class.h"

#include <stdio.h>
#include <string.h>

enum guard_likeness eval_left_out_class(const struct eval_cell *cell)
{
    return eval_own_class((struct guard_span){(const uint8_t *)cell->key, strcspn(cell->key, "|")});
}

struct eval_share eval_left_out_attacks(const struct eval_run *run, enum guard_likeness class_out,
                                        int detector)
{
    struct eval_share sum = {0, 0};
    for (int i = 0; i < run->cell_count; i++) {
        const struct eval_cell *cell = &run->cells[i];
        if (!cell->class_only || eval_left_out_class(cell) != class_out)
            continue;
        sum.hits += cell->shares[detector].hits;
        sum.of += cell->shares[detector].of;
    }
    return sum;
}

static void take_cells(struct eval_run *run, const struct eval_run *part, int from, int to)
{
    for (int i = 0; i < part->cell_count; i++) {
        struct eval_cell *cell =
            eval_cells_find(run, part->cells[i].key, part->cells[i].class_only);
        if (cell != NULL)
            cell->shares[to] = part->cells[i].shares[from];
    }
}

/* What the detector said of attacks is added; what it said of the rest stays that of the class
 * without which most of it is blocked. */
static void take_tallies(struct eval_run *run, const struct eval_run *part, int from, int to)
{
    struct eval_share before = eval_run_pool(run, to).benign;
    struct eval_share now = eval_run_pool(part, from).benign;
    bool worse = before.of == 0 || now.hits > before.hits;
    for (int i = 0; i < run->service_count && i < part->service_count; i++) {
        struct eval_tally *tally = &run->services[i]->tallies[to];
        const struct eval_tally *other = &part->services[i]->tallies[from];
        struct eval_tally rest = worse ? *other : *tally;
        tally->attacks.hits += other->attacks.hits;
        tally->attacks.of += other->attacks.of;
        tally->flagged += other->flagged;
        tally->placed += other->placed;
        tally->right += other->right;
        tally->benign = rest.benign;
        tally->distinct = rest.distinct;
        tally->lookalikes = rest.lookalikes;
        tally->clients = rest.clients;
    }
}

static bool leave_out(struct eval_run *run, enum guard_likeness class_out)
{
    struct eval_settings settings = *run->settings;
    struct eval_run part;
    char label[96];
    settings.likeness_without = 1u << class_out;
    settings.left_out = false;
    settings.baseline = false;
    settings.modsecurity = NULL;
    snprintf(label, sizeof(label), "%.64s without %s", run->set->name,
             guard_likeness_name(class_out));
    bool good = eval_run(&part, &settings, run->set, label);
    struct eval_left_out *out = &run->left_out[run->left_out_count];
    out->class_out = class_out;
    for (int i = 0; good && i < settings.alpha_count; i++) {
        int from = eval_run_detector(&part, EVAL_LIKENESS, settings.alphas[i]);
        int to = eval_run_detector(run, EVAL_LEFT_OUT, settings.alphas[i]);
        if (from < 0 || to < 0)
            continue;
        out->tallies[i] = eval_run_pool(&part, from);
        take_cells(run, &part, from, to);
        take_tallies(run, &part, from, to);
    }
    run->left_out_count += good;
    eval_run_close(&part);
    return good;
}

bool eval_left_out(struct eval_run *run)
{
    uint32_t classes = 0;
    if (!run->settings->left_out || !eval_column_built(EVAL_LIKENESS))
        return true;
    for (int i = 0; i < run->cell_count; i++)
        classes |= 1u << eval_left_out_class(&run->cells[i]);
    classes &= (1u << GUARD_LIKENESS_COUNT) - 1;
    if (classes != 0 && !eval_set_rereadable(run->set)) {
        run->left_out_skipped = "what isn't a file can be read only once";
        return true;
    }
    for (uint32_t i = 0; i < GUARD_LIKENESS_COUNT; i++) {
        if ((classes >> i & 1) != 0 && !leave_out(run, (enum guard_likeness)i))
            return false;
    }
    return true;
}
