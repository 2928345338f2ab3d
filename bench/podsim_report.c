/* SPDX-License-Identifier: Apache-2.0 */
/* What guard-podsim prints, and whether it is what it was. */
#include "podsim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static double rate(double count, double of)
{
    return of > 0 ? count / of : 0;
}

void podsim_print(const struct podsim_counts *counts, const char *label)
{
    double low, high, found_low, found_high;
    podsim_poisson(counts->false_replacements, &low, &high);
    podsim_wilson(counts->found, counts->intrusions, &found_low, &found_high);
    printf("| %s | %.2f | %llu | %.2f (%.2f-%.2f) | %.1f %% (%.1f-%.1f) | %.1f %% | %.2f |\n",
           label, counts->pod_days / 1e6, (unsigned long long)counts->false_replacements,
           1e6 * rate((double)counts->false_replacements, counts->pod_days),
           1e6 * rate(low, counts->pod_days), 1e6 * rate(high, counts->pod_days),
           100 * rate((double)counts->found, (double)counts->intrusions), 100 * found_low,
           100 * found_high, 100 * rate((double)counts->replaced, (double)counts->intrusions),
           1000 * rate((double)(counts->alerts + counts->changes), counts->pod_days));
    (void)fflush(stdout);
}

void podsim_print_head(void)
{
    printf("| run | million pod-days | false replacements | per million pod-days (95 %%) | "
           "intrusions found (95 %%) | replaced | other alerts per 1,000 pod-days |\n"
           "|---|--:|--:|--:|--:|--:|--:|\n");
}

const char *podsim_cause_name(enum podsim_cause cause)
{
    static const char *const names[PODSIM_CAUSES] = {"nothing",
                                                     "rollout",
                                                     "job",
                                                     "rare branch",
                                                     "crash",
                                                     "debugging",
                                                     "start",
                                                     "transfer",
                                                     "a client that scans",
                                                     "a broken client",
                                                     "surge",
                                                     "a false finding",
                                                     "answers of a release"};
    return names[cause];
}

uint64_t podsim_found_new(const struct podsim_counts *counts, uint64_t *of)
{
    uint64_t found = 0;
    *of = 0;
    for (uint32_t i = 0; i < PODSIM_ATTACKS; i++) {
        *of += podsim_takes(i) ? 0 : counts->by_kind[i];
        found += podsim_takes(i) ? 0 : counts->found_by_kind[i];
    }
    return found;
}

static void print_new(const struct podsim_counts *counts)
{
    double low, high;
    uint64_t of, found = podsim_found_new(counts, &of);
    podsim_wilson(found, of, &low, &high);
    printf("found of those who do anything but take data in usual ways: %llu of %llu, %.1f %% "
           "(%.1f-%.1f)\n",
           (unsigned long long)found, (unsigned long long)of, 100 * rate((double)found, (double)of),
           100 * low, 100 * high);
}

static const char *const groups[PODSIM_GROUPS] = {"new things", "hard signs", "amounts",
                                                  "volumes",    "gate alone", "gate and others"};

static uint64_t sum_of(const uint64_t by_cause[PODSIM_CAUSES])
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < PODSIM_CAUSES; i++)
        sum += by_cause[i];
    return sum;
}

/* A row for what happened, a column for what the alert rests on. */
static void print_others(const struct podsim_counts *counts)
{
    printf("\n| other alerts after |");
    for (uint32_t group = 0; group < PODSIM_GROUPS; group++)
        printf(" %s |", groups[group]);
    printf("\n|---|--:|--:|--:|--:|--:|--:|\n");
    for (uint32_t cause = 0; cause < PODSIM_CAUSES; cause++) {
        printf("| %s |", podsim_cause_name(cause));
        for (uint32_t group = 0; group < PODSIM_GROUPS; group++)
            printf(" %llu |", (unsigned long long)counts->others[group][cause]);
        printf("\n");
    }
}

void podsim_print_whole(const struct podsim_counts *counts)
{
    static const char *const attacks[PODSIM_ATTACKS] = {"shell that calls home",
                                                        "dropper",
                                                        "program without a file",
                                                        "stolen secret",
                                                        "forged call",
                                                        "web shell",
                                                        "miner",
                                                        "much data at once",
                                                        "within the process",
                                                        "much data in an hour",
                                                        "much data in a day"};
    printf("\n| intrusion | happened | found | replaced |\n|---|--:|--:|--:|\n");
    for (uint32_t i = 0; i < PODSIM_ATTACKS; i++)
        printf("| %s | %llu | %llu | %llu |\n", attacks[i], (unsigned long long)counts->by_kind[i],
               (unsigned long long)counts->found_by_kind[i],
               (unsigned long long)counts->replaced_by_kind[i]);
    printf("| there before learning | %llu | %llu | |\n", (unsigned long long)counts->poisoned,
           (unsigned long long)counts->poisoned_found);
    for (uint32_t i = 0; i < PODSIM_RETURNS; i++)
        printf("| comes back, time %u | %llu | %llu | |\n", i + 1,
               (unsigned long long)counts->returns[i], (unsigned long long)counts->returns_told[i]);
    for (uint32_t i = 0; i < PODSIM_CAUSES; i++) {
        if (counts->causes[i] > 0)
            printf("false replacements after %s: %llu\n", podsim_cause_name((enum podsim_cause)i),
                   (unsigned long long)counts->causes[i]);
    }
    print_new(counts);
    print_others(counts);
    printf("%llu records of %llu services\n", (unsigned long long)counts->records,
           (unsigned long long)counts->services);
}

/* --- what is expected --- */

enum { COUNTS_TEXT = 2048 };

static size_t put(char *to, size_t len, const char *name, uint64_t count)
{
    int more = len < COUNTS_TEXT ? snprintf(to + len, COUNTS_TEXT - len, "%s %llu\n", name,
                                            (unsigned long long)count)
                                 : 0;
    return len + (more > 0 ? (size_t)more : 0);
}

static void spell_counts(const struct podsim_counts *counts, char to[COUNTS_TEXT])
{
    size_t len = put(to, 0, "records", counts->records);
    len = put(to, len, "alerts", counts->alerts);
    len = put(to, len, "changes", counts->changes);
    for (uint32_t i = 0; i < PODSIM_GROUPS; i++)
        len = put(to, len, groups[i], sum_of(counts->others[i]));
    len = put(to, len, "false-replacements", counts->false_replacements);
    len = put(to, len, "intrusions", counts->intrusions);
    len = put(to, len, "found", counts->found);
    len = put(to, len, "replaced", counts->replaced);
    len = put(to, len, "poisoned", counts->poisoned);
    len = put(to, len, "poisoned-found", counts->poisoned_found);
    for (uint32_t i = 0; i < PODSIM_RETURNS; i++)
        len = put(to, len, "returns-told", counts->returns_told[i]);
}

enum guard_rc podsim_expect(const struct podsim_counts *counts, const char *path,
                            struct guard_err *err)
{
    char got[COUNTS_TEXT], wanted[COUNTS_TEXT];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno));
    wanted[fread(wanted, 1, sizeof(wanted) - 1, file)] = '\0';
    (void)fclose(file);
    spell_counts(counts, got);
    if (strcmp(got, wanted) == 0)
        return GUARD_OK;
    printf("\n%s", got);
    return guard_fail(err, GUARD_E_STATE, "%s: other counts are expected, these came", path);
}
