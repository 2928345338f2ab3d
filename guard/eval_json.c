/* SPDX-License-Identifier: Apache-2.0 */
/* The report card as JSON. Each detector's object has the members of the independent scorer's
 * report, so that the two can be compared by a program. */
#include "eval_cells.h"
#include "eval_left_out.h"
#include "eval_modsecurity.h"
#include "eval_report.h"

#include <math.h>

static void put_number(struct json_writer *json, const char *name, double value)
{
    if (isnan(value))
        json_null(json, name);
    else
        json_number(json, name, value);
}

static void put_rate(struct json_writer *json, const char *name, struct eval_share share)
{
    if (share.of == 0)
        json_null(json, name);
    else
        json_number(json, name, eval_rate(share));
}

static void put_interval(struct json_writer *json, const char *name, struct eval_share share)
{
    if (share.of == 0) {
        json_null(json, name);
        return;
    }
    struct eval_interval interval = eval_share_interval(share);
    json_open(json, name, '[');
    json_number(json, NULL, interval.low);
    json_number(json, NULL, interval.high);
    json_close(json, ']');
}

static void put_tally(struct json_writer *json, const struct eval_tally *tally)
{
    json_integer(json, "benign", (int64_t)tally->benign.of);
    json_integer(json, "attacks", (int64_t)tally->attacks.of);
    json_integer(json, "false_positives", (int64_t)tally->benign.hits);
    put_rate(json, "tpr", tally->attacks);
    put_interval(json, "tpr_ci95", tally->attacks);
    put_rate(json, "fpr", tally->benign);
    put_interval(json, "fpr_ci95", tally->benign);
    json_integer(json, "distinct_benign", (int64_t)tally->distinct.of);
    put_rate(json, "fpr_distinct", tally->distinct);
    put_interval(json, "fpr_distinct_ci95", tally->distinct);
    if (tally->lookalikes.of > 0) {
        put_rate(json, "lookalike_fpr", tally->lookalikes);
        json_integer(json, "lookalikes", (int64_t)tally->lookalikes.of);
    }
    json_integer(json, "benign_clients", (int64_t)tally->clients.of);
    json_integer(json, "benign_clients_blocked", (int64_t)tally->clients.hits);
}

static void put_services(struct json_writer *json, const struct eval_run *run, int index)
{
    json_open(json, "services", '{');
    for (int i = 0; i < run->service_count; i++) {
        const struct eval_service *service = run->services[i];
        const struct eval_tally *tally = &service->tallies[index];
        if (tally->benign.of + tally->attacks.of + tally->lookalikes.of == 0)
            continue;
        json_open(json, service->name, '{');
        put_tally(json, tally);
        json_close(json, '}');
    }
    json_close(json, '}');
}

static void put_spreads(struct json_writer *json, const struct eval_run *run, int index)
{
    struct eval_tally tallies[EVAL_SERVICES_MAX];
    size_t stride = sizeof(tallies[0]);
    int count = run->service_count;
    for (int i = 0; i < count; i++)
        tallies[i] = run->services[i]->tallies[index];
    struct eval_spread attacks = eval_spread_attacks(tallies, stride, count);
    struct eval_spread benign = eval_spread_benign(tallies, stride, count);
    json_open(json, "macro", '{');
    put_number(json, "tpr", attacks.mean);
    put_number(json, "fpr", benign.mean);
    put_number(json, "fpr_distinct", eval_spread_distinct(tallies, stride, count).mean);
    put_number(json, "balanced_accuracy", eval_spread_balanced(tallies, stride, count).mean);
    json_close(json, '}');
    json_open(json, "worst_decile", '{');
    put_number(json, "tpr", attacks.worst);
    put_number(json, "fpr", benign.worst);
    json_close(json, '}');
}

static void put_cells(struct json_writer *json, const struct eval_run *run, int index,
                      bool class_only)
{
    json_open(json, class_only ? "by_class" : "by_class_location_encoding", '{');
    for (int i = 0; i < run->cell_count; i++) {
        const struct eval_cell *cell = &run->cells[i];
        if (cell->class_only != class_only)
            continue;
        json_open(json, cell->key, '{');
        json_integer(json, "n", (int64_t)cell->shares[index].of);
        put_rate(json, "tpr", cell->shares[index]);
        json_close(json, '}');
    }
    json_close(json, '}');
}

static void put_explained(struct json_writer *json, const struct eval_tally *pool)
{
    json_open(json, "explained", '{');
    json_integer(json, "detected_with_known_param", (int64_t)pool->flagged);
    json_integer(json, "verdict_names_a_place", (int64_t)pool->placed);
    json_integer(json, "named_is_mutated", (int64_t)pool->right);
    put_rate(json, "share_of_detected", (struct eval_share){pool->right, pool->flagged});
    put_rate(json, "share_of_named", (struct eval_share){pool->right, pool->placed});
    json_close(json, '}');
}

static void put_detector(struct json_writer *json, const struct eval_run *run, int index)
{
    const struct eval_detector *detector = &run->detectors[index];
    struct eval_tally pool = eval_run_pool(run, index);
    json_open(json, NULL, '{');
    json_text(json, "detector", eval_column_name(detector->column));
    if (detector->alpha > 0) {
        json_number(json, "alpha", detector->alpha);
        json_number(json, "false_blocks_per_day", detector->alpha * 8640000);
        bool testable = (double)pool.benign.of >= 3 / detector->alpha;
        json_text(json, "alpha_holds",
                  !testable                                                     ? "not testable"
                  : eval_share_interval(pool.benign).low <= 2 * detector->alpha ? "yes"
                                                                                : "no");
    }
    json_open(json, "pooled", '{');
    put_tally(json, &pool);
    json_close(json, '}');
    put_spreads(json, run, index);
    put_cells(json, run, index, true);
    put_cells(json, run, index, false);
    put_explained(json, &pool);
    put_services(json, run, index);
    json_close(json, '}');
}

static void put_learned(struct json_writer *json, const struct eval_run *run)
{
    uint64_t with_client = 0;
    uint64_t timed = 0;
    json_open(json, "learned", '{');
    for (int i = 0; i < run->service_count; i++) {
        const struct eval_service *service = run->services[i];
        with_client += service->with_client;
        timed += service->timed;
        json_open(json, service->name, '{');
        json_integer(json, "exchanges", (int64_t)service->trained);
        json_integer(json, "with_client", (int64_t)service->with_client);
        json_integer(json, "endpoints", service->endpoints);
        json_bool(json, "ready", service->ready);
        json_integer(json, "pile_bytes", (int64_t)service->pile_bytes);
        json_integer(json, "policy_bytes", (int64_t)service->policy_bytes);
        json_close(json, '}');
    }
    json_close(json, '}');
    json_bool(json, "poisoning_claim", with_client > 0 && timed > 0);
}

static void put_modsecurity(struct json_writer *json, const struct eval_modsecurity *modsecurity)
{
    json_integer(json, "modsecurity_refused", (int64_t)eval_modsecurity_refused(modsecurity));
    json_text(json, "modsecurity_policy", eval_modsecurity_policy());
}

static void put_left_out(struct json_writer *json, const struct eval_run *run)
{
    if (run->left_out_skipped != NULL)
        json_text(json, "left_out_skipped", run->left_out_skipped);
    json_open(json, "left_out", '[');
    for (int i = 0; i < run->left_out_count; i++) {
        const struct eval_left_out *left = &run->left_out[i];
        for (int alpha = 0; alpha < run->settings->alpha_count; alpha++) {
            double asked = run->settings->alphas[alpha];
            int likeness = eval_run_detector(run, EVAL_LIKENESS, asked);
            int novelty = eval_run_detector(run, EVAL_NOVELTY, asked);
            json_open(json, NULL, '{');
            json_text(json, "class", guard_likeness_name(left->class_out));
            json_number(json, "alpha", asked);
            put_tally(json, &left->tallies[alpha]);
            put_rate(json, "tpr_novelty", eval_left_out_attacks(run, left->class_out, novelty));
            put_rate(json, "tpr_likeness", eval_left_out_attacks(run, left->class_out, likeness));
            json_close(json, '}');
        }
    }
    json_close(json, ']');
}

void eval_report_json(struct eval_run *run, const struct eval_report_notes *notes,
                      struct json_writer *json)
{
    char digest[17];
    eval_cells_sort(run);
    json_open(json, NULL, '{');
    json_text(json, "set", run->set->name);
    json_text(json, "settings", eval_short_digest(run->digest, digest));
    json_integer(json, "files", run->set->count);
    put_learned(json, run);
    json_integer(json, "judged", (int64_t)run->judged);
    json_integer(json, "without_label", (int64_t)run->unlabelled);
    json_integer(json, "of_unknown_services", (int64_t)run->unknown_service);
    json_integer(json, "unreadable", (int64_t)run->unreadable);
    json_open(json, "leak_probe", '{');
    for (enum eval_feature feature = 0; feature < EVAL_FEATURES; feature++)
        put_number(json, eval_feature_name(feature), eval_probe_accuracy(&run->probe, feature));
    json_close(json, '}');
    json_open(json, "not_built", '[');
    for (enum eval_column column = EVAL_NOVELTY; column <= EVAL_SIGNATURES; column++) {
        if (!eval_column_built(column))
            json_text(json, NULL, eval_column_name(column));
    }
    json_close(json, ']');
    if (notes->modsecurity_skipped != NULL)
        json_text(json, "modsecurity_skipped", notes->modsecurity_skipped);
    else if (run->settings->modsecurity != NULL)
        put_modsecurity(json, run->settings->modsecurity);
    json_number(json, "microseconds",
                (double)run->nanoseconds / 1e3 / (double)(run->judged + !run->judged));
    put_left_out(json, run);
    json_open(json, "detectors", '[');
    for (int i = 0; i < run->detector_count; i++)
        put_detector(json, run, i);
    json_close(json, ']');
    json_close(json, '}');
}
