/* SPDX-License-Identifier: Apache-2.0 */
/* `guard patch test`: one patch against traffic files, exchange by exchange, as if it were
 * enforced. Judged by the same library that the gate has. */
#include "patch_verbs.h"

#include "common/eval_interval.h"
#include "common/file.h"
#include "traffic_steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPLANATION_MAX = 4096, SHOWN_ID_MAX = 1024, TEST_LINE_MAX = 32 * 1024 };

enum outcome { OUTCOME_PASS, OUTCOME_HIT, OUTCOME_UNSEEN, OUTCOMES };

struct testing {
    struct guard_policy *policy;
    struct traffic_room room;
    const struct guard_patch *patch;
    bool json;
    uint64_t counts[OUTCOMES];
    char *line; /* TEST_LINE_MAX */
};

static const char *const outcome_words[OUTCOMES] = {"pass", "hit", "unseen"};

static bool is_of(const struct testing *testing, const struct guard_finding *finding)
{
    return finding->patch.len == testing->patch->id.len &&
           memcmp(finding->patch.ptr, testing->patch->id.ptr, finding->patch.len) == 0;
}

/* The patch's finding; NULL: it passes. A hit counts before what couldn't be seen of another part.
 */
static const struct guard_finding *finding_of(const struct testing *testing,
                                              const struct guard_verdict *verdict)
{
    const struct guard_finding *found = NULL;
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        const struct guard_finding *finding = &verdict->findings[i];
        if (is_of(testing, finding) && (found == NULL || finding->rule == GUARD_RULE_PATCH))
            found = finding;
    }
    return found;
}

static struct guard_span head(struct guard_span text)
{
    return (struct guard_span){text.ptr, text.len < SHOWN_ID_MAX ? text.len : SHOWN_ID_MAX};
}

static void print_text(const struct guard_exchange *exchange, const struct traffic_place *place,
                       enum outcome outcome, const char *explanation)
{
    struct guard_span id = head(exchange->id);
    printf("%-6s ", outcome_words[outcome]);
    if (id.len > 0)
        print_clean((const char *)id.ptr, id.len);
    else
        printf("%s:%" PRIu64, place->path, place->line);
    printf("%s%s\n", explanation[0] != '\0' ? "  " : "", explanation);
}

static void print_json(const struct testing *testing, const struct guard_exchange *exchange,
                       const struct traffic_place *place, enum outcome outcome,
                       const char *explanation)
{
    struct json_writer json;
    json_writer_init(&json, testing->line, TEST_LINE_MAX);
    json_open(&json, NULL, '{');
    json_string(&json, "id", head(exchange->id));
    json_text(&json, "file", place->path);
    json_integer(&json, "line", (int64_t)place->line);
    json_text(&json, "outcome", outcome_words[outcome]);
    json_text(&json, "explanation", explanation);
    json_close(&json, '}');
    printf("%.*s\n", (int)json.len, testing->line);
}

static bool take(void *ctx, const struct guard_exchange *exchange,
                 const struct traffic_place *place)
{
    struct testing *testing = ctx;
    struct guard_txn *txn = NULL;
    char explanation[EXPLANATION_MAX] = "";
    const struct guard_verdict *verdict = traffic_judge(
        &testing->room, testing->policy, GUARD_SPAN_LITERAL("patch"), exchange, false, &txn);
    if (verdict == NULL)
        return complain(0, "%s:%" PRIu64 ": no memory", place->path, place->line) != 0;
    const struct guard_finding *finding = finding_of(testing, verdict);
    enum outcome outcome = finding == NULL                     ? OUTCOME_PASS
                           : finding->rule == GUARD_RULE_PATCH ? OUTCOME_HIT
                                                               : OUTCOME_UNSEEN;
    testing->counts[outcome]++;
    if (finding != NULL)
        guard_explain_finding(finding, explanation, sizeof(explanation));
    if (testing->json)
        print_json(testing, exchange, place, outcome, explanation);
    else
        print_text(exchange, place, outcome, explanation);
    return ferror(stdout) == 0;
}

/* --- which patch --- */

static int of_service(const struct patch_call *call, struct patch_list *list)
{
    const char *id = call->operands[0];
    if (!patch_id_good(id))
        return EXIT_USAGE;
    return patch_fetch(call, id, list) ? EXIT_GOOD : EXIT_FAILED;
}

static int of_document(const struct patch_call *call, struct patch_list *list)
{
    const char *id = call->arguments->values[PATCH_FROM_ID];
    struct guard_err err;
    if (patches_load(list, call->operands[0], call->arena, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    for (uint32_t i = 0; id != NULL && i < list->count; i++) {
        struct guard_span own = list->patches[i].id;
        if (own.len == strlen(id) && memcmp(own.ptr, id, own.len) == 0) {
            *list = (struct patch_list){&list->patches[i], 1};
            return EXIT_GOOD;
        }
    }
    if (id != NULL)
        return complain(EXIT_FAILED, "%s: no patch %s", call->operands[0], id);
    if (list->count != 1)
        return complain(EXIT_USAGE, "%s has %u patches: say which with --id ID", call->operands[0],
                        list->count);
    return EXIT_GOOD;
}

/* --- all of it --- */

static void print_sum(const struct testing *testing, const struct traffic *traffic)
{
    uint64_t hits = testing->counts[OUTCOME_HIT];
    struct eval_interval interval = eval_interval(hits, traffic->exchanges);
    printf("%.*s: %" PRIu64 " of %" PRIu64 " exchanges hit (95 %%: %.2f %% to %.2f %%)",
           (int)testing->patch->id.len, (const char *)testing->patch->id.ptr, hits,
           traffic->exchanges, 100 * interval.low, 100 * interval.high);
    if (testing->counts[OUTCOME_UNSEEN] > 0)
        printf(", %" PRIu64 " couldn't be inspected whole", testing->counts[OUTCOME_UNSEEN]);
    putchar('\n');
}

static void print_json_sum(const struct testing *testing, const struct traffic *traffic)
{
    uint64_t hits = testing->counts[OUTCOME_HIT];
    struct eval_interval interval = eval_interval(hits, traffic->exchanges);
    struct json_writer json;
    json_writer_init(&json, testing->line, TEST_LINE_MAX);
    json_open(&json, NULL, '{');
    json_string(&json, "patch", testing->patch->id);
    json_integer(&json, "exchanges", (int64_t)traffic->exchanges);
    json_integer(&json, "hits", (int64_t)hits);
    json_integer(&json, "unseen", (int64_t)testing->counts[OUTCOME_UNSEEN]);
    json_number(&json, "low", interval.low);
    json_number(&json, "high", interval.high);
    json_close(&json, '}');
    printf("%.*s\n", (int)json.len, testing->line);
}

/* What nobody could see is neither. */
static int as_expected(const struct testing *testing, const struct traffic *traffic,
                       const char *expected)
{
    enum outcome outcome =
        expected != NULL && strcmp(expected, "hit") == 0 ? OUTCOME_HIT : OUTCOME_PASS;
    uint64_t others = traffic->exchanges - testing->counts[outcome];
    if (expected == NULL)
        return EXIT_GOOD;
    if (traffic->exchanges == 0)
        return complain(EXIT_FAILED, "no exchange to expect anything of");
    return others == 0 ? EXIT_GOOD
                       : complain(EXIT_FAILED, "%" PRIu64 " of %" PRIu64 " exchanges aren't a %s",
                                  others, traffic->exchanges, expected);
}

static int test(struct testing *testing, const struct patch_call *call)
{
    struct traffic traffic = {
        .paths = call->operands + 1, .count = call->count - 1, .label = "testing"};
    if (!traffic_read(&traffic, take, testing))
        return EXIT_FAILED;
    if (testing->json)
        print_json_sum(testing, &traffic);
    else
        print_sum(testing, &traffic);
    traffic_notes(&traffic, stderr, "guard patch: note: ");
    if (fflush(stdout) != 0)
        return EXIT_FAILED;
    return as_expected(testing, &traffic, call->arguments->values[PATCH_EXPECT]);
}

/* A Guardian that holds the patch and nothing else. What would make it count as shadow is a matter
 * of when and where it is in force, and not of what it hits. */
static int enforce(const struct patch_call *call, const struct guard_patch *patch)
{
    struct guard_guardian guardian;
    struct guard_patch enforced = *patch;
    struct judge_options options = {.alpha = 0, .signatures = true};
    struct testing testing = {.patch = patch, .json = call->json};
    uint8_t *bytes = NULL;
    size_t len = 0;
    int status = EXIT_FAILED;
    enforced.mode = GUARD_PATCH_ENFORCE;
    enforced.expires_ms = 0;
    enforced.fixed_in = (struct guard_span){NULL, 0};
    guard_guardian_default(&guardian, GUARD_SPAN_LITERAL("patch"));
    guardian.patches = &enforced;
    guardian.patch_count = 1;
    judge_guardian(&guardian);
    testing.line = guard_arena_get(call->arena, TEST_LINE_MAX);
    if (testing.line == NULL)
        return complain(EXIT_FAILED, "no memory");
    if (traffic_room_open(&testing.room)) {
        testing.policy = judge_policy(&guardian, NULL, &options, &bytes, &len);
        if (testing.policy != NULL)
            status = test(&testing, call);
        traffic_room_close(&testing.room);
    }
    if (testing.policy != NULL)
        guard_policy_unref(testing.policy);
    free(bytes);
    return status;
}

int patch_test(const struct patch_call *call)
{
    const char *expected = call->arguments->values[PATCH_EXPECT];
    struct patch_list list;
    if (expected != NULL && strcmp(expected, "hit") != 0 && strcmp(expected, "pass") != 0)
        return complain(EXIT_USAGE, "--expect is hit or pass");
    int status = call->service.ptr != NULL ? of_service(call, &list) : of_document(call, &list);
    return status == EXIT_GOOD ? enforce(call, &list.patches[0]) : status;
}
