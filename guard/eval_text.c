/* SPDX-License-Identifier: Apache-2.0 */
/* The report card as text. Leak probe first: whoever reads the figures has to know it. */
#include "command.h"
#include "eval_cells.h"
#include "eval_left_out_text.h"
#include "eval_modsecurity.h"
#include "eval_report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { REQUESTS_PER_DAY = 100 * 86400 };

static uint64_t trained(const struct eval_run *run)
{
    uint64_t sum = 0;
    for (int i = 0; i < run->service_count; i++)
        sum += run->services[i]->trained;
    return sum;
}

static void print_evidence(const struct eval_run *run, FILE *out)
{
    uint64_t clients = 0;
    uint64_t timed = 0;
    int ready = 0;
    for (int i = 0; i < run->service_count; i++) {
        clients += run->services[i]->with_client;
        timed += run->services[i]->timed;
        ready += run->services[i]->ready;
    }
    fprintf(out, "  learned     %" PRIu64 " exchanges, %.0f %% with a client, %.0f %% with a time",
            trained(run), 100.0 * (double)clients / (double)(trained(run) + !trained(run)),
            100.0 * (double)timed / (double)(trained(run) + !trained(run)));
    fprintf(out, "; %d of %d services are ready\n", ready, run->service_count);
    if (clients == 0 || timed == 0)
        fputs("              without clients and time records count as anonymous units in the "
              "order of the file: no poisoning claim\n",
              out);
}

static void print_left_out(const struct eval_run *run, FILE *out)
{
    if (run->unlabelled > 0)
        fprintf(out, "  left out    %" PRIu64 " exchanges without a label\n", run->unlabelled);
    if (run->unknown_service > 0)
        fprintf(out,
                "  left out    %" PRIu64 " exchanges of services that nothing was learned of\n",
                run->unknown_service);
    if (run->unreadable > 0)
        fprintf(out, "  left out    %" PRIu64 " unreadable lines\n", run->unreadable);
}

static void print_probe(const struct eval_run *run, FILE *out)
{
    double worst = 0;
    fputs("  leak probe  balanced accuracy of one-line rules on what must not matter "
          "(0.50: they tell nothing)\n             ",
          out);
    for (enum eval_feature feature = 0; feature < EVAL_FEATURES; feature++) {
        double accuracy = eval_probe_accuracy(&run->probe, feature);
        if (isnan(accuracy))
            continue;
        worst = accuracy > worst ? accuracy : worst;
        fprintf(out, " %s %.3f%s", eval_feature_name(feature), accuracy,
                feature + 1 < EVAL_FEATURES ? "," : "\n");
    }
    if (worst == 0)
        fputs(" benign or attacks are missing\n", out);
    else if (worst > 0.6)
        fprintf(out,
                "              LEAK: %.3f: attacks differ from benign requests by more than the "
                "attack; a high TPR proves little\n",
                worst);
}

static void print_share(struct eval_share share, FILE *out)
{
    if (share.of == 0) {
        fprintf(out, " %22s", "-");
        return;
    }
    struct eval_interval interval = eval_share_interval(share);
    fprintf(out, " %6.2f [%6.2f,%6.2f]", 100 * eval_rate(share), 100 * interval.low,
            100 * interval.high);
}

static void print_mean(double value, FILE *out)
{
    if (isnan(value))
        fprintf(out, " %6s", "-");
    else
        fprintf(out, " %6.2f", 100 * value);
}

static void print_spreads(const struct eval_run *run, int detector, FILE *out)
{
    struct eval_tally tallies[EVAL_SERVICES_MAX];
    for (int i = 0; i < run->service_count; i++)
        tallies[i] = run->services[i]->tallies[detector];
    size_t stride = sizeof(tallies[0]);
    struct eval_spread attacks = eval_spread_attacks(tallies, stride, run->service_count);
    struct eval_spread benign = eval_spread_benign(tallies, stride, run->service_count);
    struct eval_spread balanced = eval_spread_balanced(tallies, stride, run->service_count);
    print_mean(attacks.mean, out);
    print_mean(attacks.worst, out);
    print_mean(benign.mean, out);
    print_mean(benign.worst, out);
    print_mean(balanced.mean, out);
}

static void print_detector(const struct eval_run *run, int index, FILE *out)
{
    const struct eval_detector *detector = &run->detectors[index];
    struct eval_tally pool = eval_run_pool(run, index);
    char alpha[16] = "";
    fprintf(out, "  %-31s %-6s", eval_column_name(detector->column),
            detector->alpha > 0 ? eval_alpha_text(detector->alpha, alpha) : "");
    print_share(pool.attacks, out);
    print_share(pool.benign, out);
    print_share(pool.distinct, out);
    print_spreads(run, index, out);
    if (pool.clients.of > 0)
        fprintf(out, " %5" PRIu64 "/%-5" PRIu64, pool.clients.hits, pool.clients.of);
    else
        fprintf(out, " %11s", "-");
    if (pool.flagged > 0)
        fprintf(out, " %6.2f", 100.0 * (double)pool.right / (double)pool.flagged);
    else
        fprintf(out, " %6s", "-");
    fputc('\n', out);
}

static void print_rates(const struct eval_run *run, const struct eval_report_notes *notes,
                        FILE *out)
{
    fprintf(out, "\n  %-31s %-6s %-22s %-22s %-22s %-13s %-13s %6s %-11s %s\n", "percent", "",
            " pool: TPR", " FPR", " FPR, distinct unseen", " services: TPR", " FPR", "bal.",
            " clients", " blame");
    fprintf(out, "  %-31s %-6s %-22s %-22s %-22s %-13s %-13s %6s %-11s %s\n", "", "alpha",
            " rate [ 95 % interval]", " rate [ 95 % interval]", " rate [ 95 % interval]",
            "   mean  worst", "   mean  worst", "acc.", "   blocked", " right");
    for (enum eval_column column = EVAL_NOVELTY; column <= EVAL_MODSECURITY; column++) {
        for (int i = 0; i < run->detector_count; i++) {
            if (run->detectors[i].column == column)
                print_detector(run, i, out);
        }
        if (!eval_column_built(column) && !run->settings->one_column &&
            (column != EVAL_LEFT_OUT || run->settings->left_out))
            fprintf(out, "  %-31s not built\n", eval_column_name(column));
    }
    if (notes->modsecurity_skipped != NULL)
        fprintf(out, "  %-31s skipped: %s\n", eval_column_name(EVAL_MODSECURITY),
                notes->modsecurity_skipped);
    else if (run->settings->modsecurity != NULL)
        fprintf(out,
                "  ModSecurity: %s;\n               %" PRIu64
                " requests were refused by nginx itself and count as not blocked\n",
                eval_modsecurity_policy(), eval_modsecurity_refused(run->settings->modsecurity));
}

/* Whether the false positives found are those that were asked for. */
static void print_alpha(const struct eval_run *run, double asked, FILE *out)
{
    int index = -1;
    char alpha[16];
    for (int i = 0; i < run->detector_count; i++) {
        if (run->detectors[i].column == run->detectors[run->shipped].column &&
            run->detectors[i].alpha == asked)
            index = i;
    }
    if (index < 0)
        return;
    int testable = 0;
    int broken = 0;
    for (int i = 0; i < run->service_count; i++) {
        struct eval_share benign = run->services[i]->tallies[index].benign;
        bool enough = (double)benign.of >= 3 / asked;
        testable += enough;
        broken += enough && eval_share_interval(benign).low > 2 * asked;
    }
    struct eval_share pool = eval_run_pool(run, index).benign;
    double low = eval_share_interval(pool).low;
    fprintf(out, "  alpha %-6s is %.0f false blocks a day at 100 requests/s; pool: ",
            eval_alpha_text(asked, alpha), asked * REQUESTS_PER_DAY);
    if ((double)pool.of < 3 / asked)
        fprintf(out, "not testable (%" PRIu64 " benign requests, %.0f needed)", pool.of, 3 / asked);
    else
        fprintf(out, "%s (at least %.3g found)", low <= 2 * asked ? "holds" : "BROKEN", low);
    fprintf(out, "; services: %d testable, %d broken\n", testable, broken);
}

static const char *short_name(enum eval_column column)
{
    return column == EVAL_LEFT_OUT ? "own left out" : eval_column_name(column);
}

static void print_cell(struct eval_share share, FILE *out)
{
    if (share.of == 0)
        fprintf(out, " %13s", "-");
    else
        fprintf(out, " %13.2f", 100 * eval_rate(share));
}

static void print_cells(struct eval_run *run, bool class_only, FILE *out)
{
    double headline = eval_headline(run->settings);
    fprintf(out, "\n  %-44s %6s", class_only ? "TPR by class" : "TPR by class, location, encoding",
            "n");
    for (int i = 0; i < run->detector_count; i++) {
        if (run->detectors[i].alpha == 0 || run->detectors[i].alpha == headline)
            fprintf(out, " %13s", short_name(run->detectors[i].column));
    }
    fputc('\n', out);
    for (int c = 0; c < run->cell_count; c++) {
        const struct eval_cell *cell = &run->cells[c];
        char key[EVAL_CELL_KEY_MAX];
        if (cell->class_only != class_only)
            continue;
        fprintf(out, "  %-44s %6" PRIu64, clean(key, sizeof(key), cell->key, strlen(cell->key)),
                cell->shares[0].of);
        for (int i = 0; i < run->detector_count; i++) {
            if (run->detectors[i].alpha == 0 || run->detectors[i].alpha == headline)
                print_cell(cell->shares[i], out);
        }
        fputc('\n', out);
    }
}

static void print_services(const struct eval_run *run, FILE *out)
{
    char alpha[16];
    if (run->service_count < 2 || run->shipped < 0)
        return;
    fprintf(out, "\n  %-38s %8s %8s %8s %8s %8s %8s %7s %7s   (%s, alpha %s)\n", "service",
            "learned", "benign", "attacks", "TPR", "FPR", "distinct", "policy", "pile",
            eval_column_name(run->detectors[run->shipped].column),
            eval_alpha_text(run->detectors[run->shipped].alpha, alpha));
    for (int i = 0; i < run->service_count; i++) {
        const struct eval_service *service = run->services[i];
        const struct eval_tally *tally = &service->tallies[run->shipped];
        char name[136];
        fprintf(out,
                "  %-38s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8.2f %8.2f %8.2f %6.1fK %6.1fK\n",
                clean(name, sizeof(name), service->name, strlen(service->name)), service->trained,
                tally->benign.of, tally->attacks.of, 100 * eval_rate(tally->attacks),
                100 * eval_rate(tally->benign), 100 * eval_rate(tally->distinct),
                (double)service->policy_bytes / 1024, (double)service->pile_bytes / 1024);
    }
}

static void print_cost(const struct eval_run *run, FILE *out)
{
    size_t policy = 0;
    size_t pile = 0;
    for (int i = 0; i < run->service_count; i++) {
        policy += run->services[i]->policy_bytes;
        pile += run->services[i]->pile_bytes;
    }
    fprintf(out,
            "\n  cost        %.1f us to judge an exchange, %.1f us to learn one, both with reading "
            "it into libguard; %zu bytes of policies, %zu of piles\n",
            (double)run->nanoseconds / 1e3 / (double)(run->judged + !run->judged),
            (double)run->learn_nanoseconds / 1e3 / (double)(trained(run) + !trained(run)), policy,
            pile);
}

void eval_report_text(struct eval_run *run, const struct eval_report_notes *notes, FILE *out)
{
    char digest[17];
    struct eval_tally pool = eval_run_pool(run, run->shipped);
    eval_cells_sort(run);
    fprintf(out,
            "%s: %d service%s, %" PRIu64 " benign requests (%" PRIu64
            " distinct and unseen), %" PRIu64 " attacks\n",
            run->set->name, run->service_count, run->service_count == 1 ? "" : "s", pool.benign.of,
            pool.distinct.of, pool.attacks.of);
    fprintf(out, "  settings    %s (program, constants, options and the bytes of %d files)\n",
            eval_short_digest(run->digest, digest), run->set->count);
    print_evidence(run, out);
    print_left_out(run, out);
    print_probe(run, out);
    print_rates(run, notes, out);
    for (int i = 0; i < run->settings->alpha_count; i++)
        print_alpha(run, run->settings->alphas[i], out);
    if (pool.benign.of > 0)
        fprintf(out,
                "  a rate of false positives below %.3g %% (3 in %" PRIu64 ") has not been shown\n",
                300.0 / (double)pool.benign.of, pool.benign.of);
    if (pool.lookalikes.of > 0)
        fprintf(out, "  benign lookalikes blocked: %" PRIu64 " of %" PRIu64 "\n",
                pool.lookalikes.hits, pool.lookalikes.of);
    eval_left_out_print(run, out);
    print_cells(run, true, out);
    print_cells(run, false, out);
    print_services(run, out);
    print_cost(run, out);
    fputc('\n', out);
}
