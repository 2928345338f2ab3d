/* SPDX-License-Identifier: Apache-2.0 */
/* `guard check`: recorded traffic through the policy that the gate would enforce in mode "block".
 */
#include "client_watch.h"
#include "command.h"
#include "common/file.h"
#include "common/guardian.h"
#include "service_files.h"
#include "traffic_steps.h"
#include "verdict_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHECK_GUARDIAN,
    CHECK_PILE,
    CHECK_ALPHA,
    CHECK_LIKENESS,
    CHECK_SIGNATURES,
    CHECK_FORMAT,
    CHECK_CONFIGURED,
    CHECK_HOST,
    CHECK_LOG_FORMAT,
    CHECK_OUTBOUND,
    CHECK_CLIENTS,
    CHECK_REVIEW
};

static const struct option_spec options[] = {
    {"guardian", "G.yaml", "the service's Guardian (required)"},
    {"pile", "P.pile", "what was learned; without it the pile beside the Guardian that it names"},
    {"alpha", "A", "false blocks per request that are accepted; without it the Guardian's budget"},
    {"likeness", "on|off",
     "whether it counts that what deviates reads like an attack (default on)"},
    {"signatures", "on|off", "whether patches of the Guardian count (default on)"},
    {"format", "text|jsonl", "one line for people or one JSON object per exchange (default text)"},
    {"configured-only", NULL, "use the Guardian's configured criteria alone"},
    {"host", "NAME", "only exchanges with this host"},
    {"log-format", "FORMAT", "of access logs; see guard learn"},
    {"outbound", NULL, "the traffic is calls that the service makes"},
    {"clients", "on|off",
     "judge how clients behave, where times and clients are known (default on)"},
    {"review", "FILE",
     "what people accepted and refused (reviews/SERVICE.json of a state directory)"},
    {NULL, NULL, NULL},
};

struct checking {
    struct guard_policy *policy;
    struct guard_span service;
    bool jsonl;
    bool outbound;
    bool colour;
    bool clients; /* are judged */
    struct client_watch watch;
    struct traffic_room room;
    char *line;
    uint64_t counts[3];
    uint64_t foreign;
};

static const char *colour_of(const struct checking *checking, enum guard_decision decision)
{
    if (!checking->colour || decision == GUARD_PASS)
        return "";
    return decision == GUARD_BLOCK ? "\033[31m" : "\033[33m";
}

static void print_text(const struct checking *checking, const struct guard_exchange *exchange,
                       struct guard_txn *txn, const struct guard_verdict *verdict)
{
    guard_explain(verdict, guard_txn_method(txn), guard_txn_template(txn), checking->line,
                  VERDICT_JSON_MAX);
    const char *colour = colour_of(checking, verdict->decision);
    if (exchange->id.len > 0)
        print_clean((const char *)exchange->id.ptr,
                    exchange->id.len < 256 ? exchange->id.len : 256);
    printf("\t%s%s%s\n", colour, checking->line, colour[0] != '\0' ? "\033[0m" : "");
}

static void print_verdict(const struct checking *checking, const struct guard_exchange *exchange,
                          const struct guard_verdict *verdict)
{
    size_t len = verdict_json(exchange->id, verdict, checking->line);
    fwrite(checking->line, 1, len, stdout);
    fputc('\n', stdout);
}

static bool take(void *ctx, const struct guard_exchange *exchange,
                 const struct traffic_place *place)
{
    struct checking *checking = ctx;
    struct guard_txn *txn = NULL;
    const struct guard_verdict *verdict = traffic_judge(
        &checking->room, checking->policy, checking->service, exchange, checking->outbound, &txn);
    if (verdict == NULL)
        return complain(0, "%s:%" PRIu64 ": no memory", place->path, place->line) != 0;
    if (checking->clients)
        verdict = client_watch_judge(&checking->watch, checking->policy, txn, verdict);
    checking->counts[verdict->decision]++;
    if (exchange->service.len > 0 &&
        (exchange->service.len != checking->service.len ||
         memcmp(exchange->service.ptr, checking->service.ptr, checking->service.len) != 0))
        checking->foreign++;
    if (checking->jsonl)
        print_verdict(checking, exchange, verdict);
    else
        print_text(checking, exchange, txn, verdict);
    return ferror(stdout) == 0;
}

static bool on_or_off(const char *text)
{
    return text == NULL || strcmp(text, "on") == 0 || strcmp(text, "off") == 0;
}

static bool is_on(const char *text)
{
    return text == NULL || strcmp(text, "on") == 0;
}

static bool open_policy(struct checking *checking, const struct arguments *arguments,
                        struct guard_guardian *guardian, double alpha, uint8_t **bytes)
{
    struct guard_model *model = NULL;
    if (arguments->values[CHECK_CONFIGURED] == NULL) {
        struct guard_pile *pile = guardian_pile(guardian, arguments->values[CHECK_GUARDIAN],
                                                arguments->values[CHECK_PILE]);
        if (pile == NULL)
            return false;
        model = pile_model_by(pile, guardian->support, arguments->values[CHECK_REVIEW]);
        guard_pile_free(pile);
        if (model == NULL)
            return false;
    }
    struct judge_options judge = {.alpha = alpha,
                                  .likeness = is_on(arguments->values[CHECK_LIKENESS]),
                                  .signatures = is_on(arguments->values[CHECK_SIGNATURES])};
    size_t len = 0;
    checking->policy = judge_policy(guardian, model, &judge, bytes, &len);
    guard_model_free(model);
    return checking->policy != NULL;
}

static int check(struct checking *checking, const struct arguments *arguments)
{
    struct traffic traffic = {.paths = arguments->operands,
                              .count = arguments->count,
                              .label = "checking",
                              .log_format = arguments->values[CHECK_LOG_FORMAT],
                              .host = arguments->values[CHECK_HOST]};
    if (!traffic_read(&traffic, take, checking) || fflush(stdout) != 0)
        return EXIT_FAILED;
    if (!checking->jsonl)
        printf("%" PRIu64 " exchanges: %" PRIu64 " pass, %" PRIu64 " alert, %" PRIu64 " block\n",
               traffic.exchanges, checking->counts[GUARD_PASS], checking->counts[GUARD_ALERT],
               checking->counts[GUARD_BLOCK]);
    traffic_notes(&traffic, stderr, "guard check: note: ");
    if (checking->foreign > 0)
        complain(0,
                 "note: %" PRIu64
                 " exchanges name another service than \"%.*s\" and were judged by its policy",
                 checking->foreign, (int)checking->service.len,
                 (const char *)checking->service.ptr);
    return EXIT_GOOD;
}

static int run(const struct arguments *arguments)
{
    const char *format = arguments->values[CHECK_FORMAT];
    double alpha = 0;
    if (arguments->values[CHECK_GUARDIAN] == NULL || arguments->count == 0)
        return complain(EXIT_USAGE, "--guardian FILE and traffic are needed");
    if (!on_or_off(arguments->values[CHECK_LIKENESS]) ||
        !on_or_off(arguments->values[CHECK_SIGNATURES]))
        return complain(EXIT_USAGE, "--likeness and --signatures are on or off");
    if (!on_or_off(arguments->values[CHECK_CLIENTS]))
        return complain(EXIT_USAGE, "--clients is on or off");
    if (format != NULL && strcmp(format, "text") != 0 && strcmp(format, "jsonl") != 0)
        return complain(EXIT_USAGE, "--format is text or jsonl");
    if (arguments->values[CHECK_ALPHA] != NULL) {
        char *end = NULL;
        alpha = strtod(arguments->values[CHECK_ALPHA], &end);
        if (*end != '\0' || !(alpha >= 1e-9 && alpha <= 0.1))
            return complain(EXIT_USAGE, "--alpha must be a number from 1e-9 to 0.1");
    }
    if (!traffic_format_good(arguments->values[CHECK_LOG_FORMAT]))
        return EXIT_USAGE;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena documents;
    struct guard_guardian guardian;
    struct guard_err err;
    struct checking checking = {.outbound = arguments->values[CHECK_OUTBOUND] != NULL,
                                .jsonl = format != NULL && strcmp(format, "jsonl") == 0,
                                .colour = terminal_colour(),
                                .clients = is_on(arguments->values[CHECK_CLIENTS]) &&
                                           arguments->values[CHECK_OUTBOUND] == NULL,
                                .line = malloc(VERDICT_JSON_MAX)};
    uint8_t *bytes = NULL;
    int status = EXIT_FAILED;
    guard_arena_init(&documents, &heap, (size_t)16 << 20);
    if (!traffic_room_open(&checking.room)) {
        status = EXIT_FAILED;
    } else if (guardian_load(&guardian, arguments->values[CHECK_GUARDIAN], &documents, &err) !=
               GUARD_OK) {
        complain(0, "%s", err.text);
    } else {
        checking.service = guardian.service;
        judge_guardian(&guardian);
        if (checking.line != NULL &&
            (!checking.clients || client_watch_open(&checking.watch, checking.service)) &&
            open_policy(&checking, arguments, &guardian, alpha, &bytes))
            status = check(&checking, arguments);
    }
    if (checking.policy != NULL)
        guard_policy_unref(checking.policy);
    free(bytes);
    free(checking.line);
    client_watch_close(&checking.watch);
    traffic_room_close(&checking.room);
    guard_arena_reset(&documents);
    return status;
}

const struct command command_check = {
    .name = "check",
    .usage = "TRAFFIC...",
    .operands = "FILE...",
    .summary = "judge recorded traffic by what was learned",
    .details = "Prints one verdict per exchange, in order: what mode \"block\" would do at alpha. "
               "Exit status 0 unless the input\n"
               "or the files are unusable.",
    .options = options,
    .run = run,
};
