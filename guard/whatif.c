/* SPDX-License-Identifier: Apache-2.0 */
/* `guard whatif`: recorded traffic under the settings in force and under others, so that a change
 * is seen before it is made. */
#include "command.h"
#include "common/file.h"
#include "common/guardian.h"
#include "mirror.h"
#include "service_files.h"
#include "state_files.h"
#include "traffic_steps.h"
#include "verdict_json.h"
#include "whatif_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WHATIF_GUARDIAN,
    WHATIF_PILE,
    WHATIF_ALPHA,
    WHATIF_MODE,
    WHATIF_OTHER,
    WHATIF_OTHER_PILE,
    WHATIF_FORMAT,
    WHATIF_TOP,
    WHATIF_HOST,
    WHATIF_LOG_FORMAT,
    WHATIF_OUTBOUND,
    WHATIF_SERVICE,
    WHATIF_STATE,
    WHATIF_SERVER
};
enum { TOP_DEFAULT = 20 };

static const struct option_spec options[] = {
    {"guardian", "G.yaml", "the service's Guardian as it is (this or --service)"},
    {"pile", "P.pile", "what was learned; without it the pile beside the Guardian that it names"},
    {"alpha", "A", "what if this many false blocks per request were accepted"},
    {"mode", "observe|alert|block", "what if all parts were in this mode"},
    {"other", "G2.yaml", "what if this were the Guardian"},
    {"other-pile", "P2.pile", "what if this had been learned"},
    {"format", "text|jsonl", "a report, or an object for each change (default text)"},
    {"top", "N", "how many reasons the report lists (default 20)"},
    {"host", "NAME", "only exchanges with this host"},
    {"log-format", "FORMAT", "of access logs; see guard learn"},
    {"outbound", NULL, "the traffic is calls that the service makes"},
    {"service", "NAME", "Guardian and pile of this service, of the state directory or a server"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

/* One side of the comparison: settings, and the exchange in hand under them. */
struct side {
    struct guard_arena documents;
    struct guard_guardian guardian;
    struct guard_policy *policy;
    uint8_t *bytes;
    struct traffic_room room;
    char name[128];
};

struct comparing {
    struct side sides[WHATIF_SIDES];
    struct whatif_report *report;
    const struct arguments *arguments;
    const char *guardian; /* files of what is in force */
    const char *pile;     /* NULL: the one that the Guardian names */
    char paths[2][STATE_PATH_MAX];
    double alpha; /* 0: as the Guardian says */
    enum guard_mode mode;
    unsigned top;
    bool jsonl;
    char *line;
};

static void print_change(const struct comparing *comparing, const struct guard_exchange *exchange,
                         const struct whatif_judged judged[WHATIF_SIDES])
{
    size_t len = verdict_json(exchange->id, judged[whatif_graver(judged)].verdict, comparing->line);
    printf("{\"before\":\"%s\",\"after\":\"%s\",\"because\":",
           guard_decision_name(judged[WHATIF_BEFORE].verdict->action),
           guard_decision_name(judged[WHATIF_AFTER].verdict->action));
    fwrite(comparing->line, 1, len, stdout);
    fputs("}\n", stdout);
}

static bool take(void *ctx, const struct guard_exchange *exchange,
                 const struct traffic_place *place)
{
    struct comparing *comparing = ctx;
    struct whatif_judged judged[WHATIF_SIDES];
    for (int i = 0; i < WHATIF_SIDES; i++) {
        struct side *side = &comparing->sides[i];
        struct guard_txn *txn = NULL;
        judged[i].verdict =
            traffic_judge(&side->room, side->policy, side->guardian.service, exchange,
                          comparing->arguments->values[WHATIF_OUTBOUND] != NULL, &txn);
        judged[i].txn = txn;
        if (judged[i].verdict == NULL)
            return complain(0, "%s:%" PRIu64 ": no memory", place->path, place->line) != 0;
    }
    if (whatif_report_add(comparing->report, exchange, judged) && comparing->jsonl)
        print_change(comparing, exchange, judged);
    return ferror(stdout) == 0;
}

static bool load_guardian(struct side *side, const char *path)
{
    struct guard_err err;
    return guardian_load(&side->guardian, path, &side->documents, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static bool load_policy(struct side *side, const char *guardian_path, const char *pile_path,
                        double alpha)
{
    struct guard_pile *pile = guardian_pile(&side->guardian, guardian_path, pile_path);
    struct guard_model *model = pile != NULL ? pile_model(pile, side->guardian.support) : NULL;
    size_t len = 0;
    guard_pile_free(pile);
    if (model == NULL)
        return false;
    struct judge_options judge = {.alpha = alpha, .likeness = true, .signatures = true};
    side->policy = judge_policy(&side->guardian, model, &judge, &side->bytes, &len);
    guard_model_free(model);
    if (side->policy == NULL)
        return false;
    snprintf(side->name, sizeof(side->name), "mode %s, 1 false block in %.0f requests accepted",
             guard_mode_name(side->guardian.mode),
             1 / (alpha > 0 ? alpha : side->guardian.false_alarm_budget));
    return true;
}

/* Both sides are read before the first is compiled, so that a mistake in either is told at once. */
static bool open_sides(struct comparing *comparing)
{
    const char *const *values = comparing->arguments->values;
    struct side *before = &comparing->sides[WHATIF_BEFORE];
    struct side *after = &comparing->sides[WHATIF_AFTER];
    const char *other = values[WHATIF_OTHER] != NULL ? values[WHATIF_OTHER] : comparing->guardian;
    const char *pile =
        values[WHATIF_OTHER_PILE] != NULL ? values[WHATIF_OTHER_PILE] : comparing->pile;
    if (!load_guardian(before, comparing->guardian) || !load_guardian(after, other))
        return false;
    if (before->guardian.service.len != after->guardian.service.len ||
        memcmp(before->guardian.service.ptr, after->guardian.service.ptr,
               before->guardian.service.len) != 0)
        return complain(0, "%s is of service \"%.*s\", not \"%.*s\"", other,
                        (int)after->guardian.service.len, (const char *)after->guardian.service.ptr,
                        (int)before->guardian.service.len,
                        (const char *)before->guardian.service.ptr) != 0;
    if (values[WHATIF_MODE] != NULL)
        guard_guardian_set_mode(&after->guardian, comparing->mode);
    return load_policy(before, comparing->guardian, comparing->pile, 0) &&
           load_policy(after, other, pile, comparing->alpha);
}

/* Of a service: what its guardd has, here or elsewhere. */
static bool find_files(struct comparing *comparing)
{
    struct remote remote;
    const struct arguments *arguments = comparing->arguments;
    const char *name = arguments->values[WHATIF_SERVICE];
    if (name == NULL)
        return true;
    const struct guard_span service = {(const uint8_t *)name, strlen(name)};
    if (!remote_open(&remote, arguments, WHATIF_STATE, WHATIF_SERVER, NULL))
        return false;
    const char *dir = mirror_or_state(&remote, arguments->values[WHATIF_STATE],
                                      MIRROR_GUARDIAN | MIRROR_PILE, name, NULL);
    if (dir == NULL)
        return false;
    if (state_path(comparing->paths[0], dir, "guardians", service, ".yaml") != GUARD_OK ||
        state_path(comparing->paths[1], dir, "piles", service, ".pile") != GUARD_OK)
        return complain(0, "the path is too long") != 0;
    comparing->guardian = comparing->paths[0];
    comparing->pile = comparing->paths[1];
    return true;
}

static int compare(struct comparing *comparing)
{
    const struct arguments *arguments = comparing->arguments;
    struct traffic traffic = {.paths = arguments->operands,
                              .count = arguments->count,
                              .label = "comparing",
                              .log_format = arguments->values[WHATIF_LOG_FORMAT],
                              .host = arguments->values[WHATIF_HOST]};
    const char *const names[WHATIF_SIDES] = {comparing->sides[WHATIF_BEFORE].name,
                                             comparing->sides[WHATIF_AFTER].name};
    if (!find_files(comparing) || !open_sides(comparing) ||
        !traffic_read(&traffic, take, comparing))
        return EXIT_FAILED;
    if (comparing->jsonl)
        whatif_report_json(comparing->report, stdout);
    else
        whatif_report_text(comparing->report, names, comparing->top, stdout);
    traffic_notes(&traffic, stderr, "guard whatif: note: ");
    return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_FAILED;
}

/* False after a message. */
static bool read_options(struct comparing *comparing)
{
    const char *const *values = comparing->arguments->values;
    const char *format = values[WHATIF_FORMAT];
    char *end = NULL;
    comparing->guardian = values[WHATIF_GUARDIAN];
    comparing->pile = values[WHATIF_PILE];
    if ((values[WHATIF_GUARDIAN] == NULL) == (values[WHATIF_SERVICE] == NULL) ||
        (values[WHATIF_SERVICE] != NULL && values[WHATIF_PILE] != NULL) ||
        comparing->arguments->count == 0)
        return complain(0, "--guardian FILE or --service NAME, and traffic are needed") != 0;
    if (values[WHATIF_SERVICE] != NULL &&
        !state_service_valid((struct guard_span){(const uint8_t *)values[WHATIF_SERVICE],
                                                 strlen(values[WHATIF_SERVICE])}))
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    if (values[WHATIF_ALPHA] == NULL && values[WHATIF_MODE] == NULL &&
        values[WHATIF_OTHER] == NULL && values[WHATIF_OTHER_PILE] == NULL)
        return complain(0, "say what changes: --alpha, --mode, --other or --other-pile") != 0;
    if (format != NULL && strcmp(format, "text") != 0 && strcmp(format, "jsonl") != 0)
        return complain(0, "--format is text or jsonl") != 0;
    comparing->jsonl = format != NULL && strcmp(format, "jsonl") == 0;
    comparing->top = TOP_DEFAULT;
    if (values[WHATIF_ALPHA] != NULL) {
        comparing->alpha = strtod(values[WHATIF_ALPHA], &end);
        if (*end != '\0' || !(comparing->alpha >= 1e-9 && comparing->alpha <= 0.1))
            return complain(0, "--alpha must be a number from 1e-9 to 0.1") != 0;
    }
    if (values[WHATIF_MODE] != NULL && !read_mode(values[WHATIF_MODE], &comparing->mode))
        return false;
    if (values[WHATIF_TOP] != NULL) {
        long top = strtol(values[WHATIF_TOP], &end, 10);
        if (*end != '\0' || top < 1 || top > 512)
            return complain(0, "--top must be a number from 1 to 512") != 0;
        comparing->top = (unsigned)top;
    }
    return traffic_format_good(values[WHATIF_LOG_FORMAT]);
}

static void close_side(struct side *side)
{
    if (side->policy != NULL)
        guard_policy_unref(side->policy);
    free(side->bytes);
    traffic_room_close(&side->room);
    guard_arena_reset(&side->documents);
}

static int run(const struct arguments *arguments)
{
    struct comparing comparing = {.arguments = arguments};
    struct guard_alloc heap = heap_alloc();
    int status = EXIT_FAILED;
    if (!read_options(&comparing))
        return EXIT_USAGE;
    for (int i = 0; i < WHATIF_SIDES; i++)
        guard_arena_init(&comparing.sides[i].documents, &heap, (size_t)8 << 20);
    comparing.report = whatif_report_new();
    comparing.line = malloc(VERDICT_JSON_MAX);
    if (comparing.report == NULL || comparing.line == NULL)
        complain(0, "no memory");
    else if (traffic_room_open(&comparing.sides[WHATIF_BEFORE].room) &&
             traffic_room_open(&comparing.sides[WHATIF_AFTER].room))
        status = compare(&comparing);
    for (int i = 0; i < WHATIF_SIDES; i++)
        close_side(&comparing.sides[i]);
    free(comparing.line);
    whatif_report_free(comparing.report);
    return status;
}

const struct command command_whatif = {
    .name = "whatif",
    .usage = "TRAFFIC...",
    .operands = "FILE...",
    .summary = "replay recorded traffic under other settings and show what would change",
    .details = "Judges each exchange twice: by the Guardian and the pile as they are, in their "
               "modes, and as the\n"
               "options would have them. What the two treat differently is counted, by its reason. "
               "Nothing is\n"
               "changed: put what you like into the Guardian.",
    .options = options,
    .run = run,
};
