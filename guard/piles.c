/* SPDX-License-Identifier: Apache-2.0 */
/* `guard pile`: merging piles that were made apart, and saying what one holds. */
#include "command.h"
#include "common/file.h"
#include "common/guardian_words.h"
#include "service_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PILE_OUT, PILE_SHARES };
enum { INTERVALS_SHOWN = 64 };

static const struct option_spec options[] = {
    {"output", "C.pile", "merge: the file to write; short: -o"},
    {"shares", NULL,
     "merge: trust no pile alone; each is of other producers and counts as fewer than four "
     "clients"},
    {NULL, NULL, NULL},
};

static const char *outcome_text(enum guard_merge outcome)
{
    if (outcome == GUARD_MERGE_CONTAINED)
        return "was held already";
    return outcome == GUARD_MERGE_REPLACED ? "held all the others" : "added";
}

/* No producer of a share is one of the shares merged so far: who claims another's records would
 * make them pass for held already. */
static bool apart(const struct guard_pile *pile, const struct guard_pile *other, const char *path)
{
    struct guard_interval held, claimed;
    for (uint32_t i = 0; guard_pile_interval(other, i, &claimed); i++) {
        for (uint32_t j = 0; guard_pile_interval(pile, j, &held); j++) {
            if (held.producer != claimed.producer)
                continue;
            (void)complain(EXIT_FAILED,
                           "%s: not merged: a pile before it holds records of producer %016" PRIx64
                           ", too; one of them isn't that producer's",
                           path, claimed.producer);
            return false;
        }
    }
    return true;
}

/* NULL after a message. */
static struct guard_pile *open_part(const char *path, const struct guard_pile *pile, bool shares)
{
    struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    const struct guard_share share = {.now_ms = clock_unix_ms()};
    struct guard_err err;
    struct guard_pile *part = pile_open(path, &cfg, NULL);
    if (part == NULL || !shares)
        return part;
    enum guard_rc rc = guard_pile_admit(part, &share, &err);
    if (rc == GUARD_OK && (pile == NULL || apart(pile, part, path)))
        return part;
    if (rc != GUARD_OK)
        (void)complain(EXIT_FAILED, "%s: not merged: %s (%s)", path, err.text, guard_rc_name(rc));
    guard_pile_free(part);
    return NULL;
}

static int merge_into(struct guard_pile *pile, const char *path, bool shares)
{
    struct guard_err err;
    enum guard_merge outcome = GUARD_MERGE_ADDED;
    struct guard_pile *other = open_part(path, pile, shares);
    if (other == NULL)
        return EXIT_FAILED;
    enum guard_rc rc = guard_pile_merge(pile, other, &outcome, &err);
    guard_pile_free(other);
    if (rc != GUARD_OK)
        return complain(EXIT_FAILED, "%s: not merged: %s (%s)", path, err.text, guard_rc_name(rc));
    printf("%s %s\n", path, outcome_text(outcome));
    return EXIT_GOOD;
}

static int merge(int count, char **paths, const char *out, bool shares)
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    char text[2 * GUARD_DIGEST_BYTES + 1];
    struct guard_pile *pile = open_part(paths[0], NULL, shares);
    if (pile == NULL)
        return EXIT_FAILED;
    int status = EXIT_GOOD;
    for (int i = 1; status == EXIT_GOOD && i < count; i++)
        status = merge_into(pile, paths[i], shares);
    if (status == EXIT_GOOD && !pile_save(pile, out, digest))
        status = EXIT_FAILED;
    guard_pile_free(pile);
    if (status == EXIT_GOOD) {
        guardian_digest_write(digest, text);
        printf("%s %s\n", out, text);
    }
    return status;
}

static void print_time(const char *label, uint64_t ms)
{
    char text[32] = "unknown";
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (ms > 0 && gmtime_r(&seconds, &parts) != NULL)
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    printf("%-10s %s\n", label, text);
}

static int show(const char *path)
{
    struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    struct guard_pile_stats stats;
    uint8_t digest[GUARD_DIGEST_BYTES];
    char text[2 * GUARD_DIGEST_BYTES + 1];
    struct guard_pile *pile = pile_open(path, &cfg, digest);
    if (pile == NULL)
        return EXIT_FAILED;
    guard_pile_stats(pile, &stats);
    guardian_digest_write(digest, text);
    printf("%-10s %.*s\n%-10s %s\n", "service", (int)stats.service.len,
           (const char *)stats.service.ptr, "digest", text);
    printf("%-10s ", "key");
    for (size_t i = 0; i < sizeof(stats.key_id); i++)
        printf("%02x", stats.key_id[i]);
    printf("\n%-10s %" PRIu64 " (%" PRIu64 " lost, %" PRIu64 " without client)\n", "exchanges",
           stats.exchanges, stats.lost, stats.anonymous);
    printf("%-10s %" PRIu64 "\n%-10s %" PRIu32 "\n", "clients", stats.clients, "epochs",
           stats.epochs);
    printf("%-10s %" PRIu32 "%s\n%-10s %" PRIu32 "\n", "cells", stats.cells,
           stats.overflowed ? " (tables overflowed)" : "", "intervals", stats.intervals);
    print_time("first", stats.first_ms);
    print_time("last", stats.last_ms);
    struct guard_interval interval;
    for (uint32_t i = 0; i < INTERVALS_SHOWN && guard_pile_interval(pile, i, &interval); i++)
        printf("interval   %016" PRIx64 ":%" PRIu64 " %" PRIu64 "..%" PRIu64 " (%" PRIu64
               " records)\n",
               interval.producer, interval.incarnation, interval.first, interval.last,
               interval.count);
    guard_pile_free(pile);
    return EXIT_GOOD;
}

static int run(const struct arguments *arguments)
{
    const char *out = arguments->values[PILE_OUT];
    int count = arguments->count;
    if (count == 2 && strcmp(arguments->operands[0], "show") == 0)
        return show(arguments->operands[1]);
    if (count >= 2 && strcmp(arguments->operands[0], "merge") == 0) {
        if (out == NULL)
            return complain(EXIT_USAGE, "merge needs -o FILE");
        return merge(count - 1, arguments->operands + 1, out,
                     arguments->values[PILE_SHARES] != NULL);
    }
    return complain(EXIT_USAGE, "say `merge A B ... -o C` or `show FILE`");
}

const struct command command_pile = {
    .name = "pile",
    .usage = "merge A.pile B.pile... -o C.pile | show FILE",
    .operands = "merge|show FILE...",
    .summary = "merge piles, or say what one holds",
    .details =
        "The order of merging doesn't matter, and a pile that is merged twice counts once. "
        "What can't be merged without\n"
        "counting something twice is refused by name.\n"
        "With --shares each pile is what one gate or agent sent, who might be anybody's by now: "
        "it teaches nothing alone,\n"
        "speaks for no producer of another, and what contradicts itself is refused. Merge what "
        "one sent before, without.",
    .options = options,
    .run = run,
};
