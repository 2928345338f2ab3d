/* SPDX-License-Identifier: Apache-2.0 */
/* `guard explain ID`: everything that is known of one alert, what the gate did, and what can be
 * done about it. */
#include "alert_log.h"
#include "command.h"
#include "mirror.h"
#include "triage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXPLAIN_STATE, EXPLAIN_SERVER };

static const struct option_spec options[] = {
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

struct explaining {
    const char *id;
    const struct triage *triage;
    int found;
};

/* The member of a Guardian's criterion or endpoint that says what is normal where the rule fired.
 */
static const struct {
    const char *rule;
    const char *member;
} members[] = {
    {"path", "configured.endpoints: an endpoint with this path"},
    {"method", "methods"},
    {"content-type", "contentTypes"},
    {"name", "a criterion for this name"},
    {"missing", "required: false"},
    {"character", "characters"},
    {"alphabet", "characters"},
    {"type", "types"},
    {"length", "maxLength"},
    {"length-far", "maxLength"},
    {"short", "minLength"},
    {"literal", "values"},
    {"items", "maxItems"},
    {"items-far", "maxItems"},
    {"size", "maxBody"},
    {"size-far", "maxBody"},
    {"status", "statuses"},
    {"leak", "leaks.allowed"},
};

static void line(const char *name, const char *text)
{
    printf("  %-9s ", name);
    print_clean(text, strlen(text));
    putchar('\n');
}

static void print_times(const struct document_node *alert)
{
    char when[32];
    double count = number_of(alert, "count");
    printf("  %-9s %s", "when", alert_time(when, number_of(alert, "time_ms")));
    if (count > 1) {
        printf(" (%.0f of this kind from %s", count,
               alert_time(when, number_of(alert, "first_ms")));
        printf(" to %s; what follows is the last)", alert_time(when, number_of(alert, "last_ms")));
    }
    putchar('\n');
}

static void print_exchange(const struct document_node *alert)
{
    const char *action = text_of(alert, "action");
    bool held_back =
        strcmp(action, "block") != 0 && strcmp(text_of(alert, "verdict"), "block") == 0;
    line("service", text_of(alert, "service"));
    printf("  %-9s ", "request");
    print_clean(text_of(alert, "method"), strlen(text_of(alert, "method")));
    putchar(' ');
    print_clean(text_of(alert, "template"), strlen(text_of(alert, "template")));
    if (number_of(alert, "status") > 0)
        printf(", answered %.0f", number_of(alert, "status"));
    printf("\n");
    line("client", text_of(alert, "client"));
    line("id", text_of(alert, "id"));
    if (text_of(alert, "caused_by")[0] != '\0')
        line("caused by", text_of(alert, "caused_by"));
    printf("  %-9s %s, by generation %.0f of the policy; score %.2f\n", "done",
           strcmp(action, "block") == 0 ? "blocked"
           : held_back                  ? "not blocked: the mode doesn't let it"
                                        : "reported",
           number_of(alert, "generation"), number_of(alert, "score"));
}

static void print_finding(const struct document_node *finding, int number)
{
    double p = number_of(finding, "p");
    const char *const places[] = {"part", "location", "name"};
    printf("  %2d. ", number);
    print_clean(text_of(finding, "rule"), strlen(text_of(finding, "rule")));
    printf(" in the");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *text = text_of(finding, places[i]);
        if (text[0] == '\0')
            continue;
        printf(i == 2 ? ": " : " ");
        print_clean(text, strlen(text));
    }
    printf("\n      seen      ");
    print_clean(text_of(finding, "observed"), strlen(text_of(finding, "observed")));
    printf("\n      normal    ");
    print_clean(text_of(finding, "expected"), strlen(text_of(finding, "expected")));
    if (p > 0 && p < 1)
        printf("\n      chance    1 in %.0f of normal traffic at most", round(1 / p));
    else
        printf("\n      certain   a person configured it");
    putchar('\n');
}

static const char *member_for(const char *rule)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (strcmp(rule, members[i].rule) == 0)
            return members[i].member;
    }
    return NULL;
}

static void print_advice(const struct document_node *alert, const struct document_node *first,
                         const struct triage_word *word)
{
    const char *member = first != NULL ? member_for(text_of(first, "rule")) : NULL;
    bool answer = first != NULL && strcmp(text_of(first, "part"), "response") == 0;
    if (word == NULL) {
        printf("\nNobody said yet what it was: guard triage ");
        print_clean(text_of(alert, "id"), strlen(text_of(alert, "id")));
        printf(" true|false|rare --reason TEXT\n");
    }
    if (word != NULL && strcmp(word->state, "true") == 0)
        return;
    printf("If it is harmless and common, say so in guardians/");
    print_clean(text_of(alert, "service"), strlen(text_of(alert, "service")));
    printf(".yaml%s%s%s\n", member != NULL ? ": " : ".",
           member != NULL && answer ? "below response, " : "", member != NULL ? member : "");
}

static void print_alert(const struct explaining *explaining, const struct document_node *alert)
{
    const struct triage_word *word = triage_of(explaining->triage, alert);
    const struct document_node *list = member_of(alert, "findings");
    const struct document_node *first =
        list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
    const char *explanation = text_of(alert, "explanation");
    int number = 0;
    print_clean(explanation, strlen(explanation));
    printf("\n\n");
    print_times(alert);
    print_exchange(alert);
    if (word != NULL) {
        char when[32];
        printf("  %-9s %s, said by ", "it was", word->state);
        print_clean(word->by, strlen(word->by));
        printf(" at %s%s", alert_time(when, word->time_ms), word->reason[0] != '\0' ? ": " : "");
        print_clean(word->reason, strlen(word->reason));
        putchar('\n');
    }
    printf("\nWhat deviates, the strongest first:\n");
    for (const struct document_node *node = first; node != NULL; node = node->next)
        print_finding(node, ++number);
    print_advice(alert, first, word);
}

static void take(void *ctx, const struct document_node *alert, struct guard_span text)
{
    struct explaining *explaining = ctx;
    (void)text;
    if (!alert_names(alert, explaining->id))
        return;
    if (explaining->found++ > 0)
        printf("\n");
    print_alert(explaining, alert);
}

static int run(const struct arguments *arguments)
{
    struct remote remote;
    struct triage triage;
    bool any = false;
    if (arguments->count != 1 || arguments->operands[0][0] == '\0')
        return complain(EXIT_USAGE, "say `guard explain ID`");
    struct explaining explaining = {.id = arguments->operands[0], .triage = &triage};
    if (!remote_open(&remote, arguments, EXPLAIN_STATE, EXPLAIN_SERVER, NULL))
        return EXIT_USAGE;
    const char *dir = mirror_or_state(&remote, arguments->values[EXPLAIN_STATE],
                                      MIRROR_ALERTS | MIRROR_TRIAGE, NULL, explaining.id);
    if (dir == NULL)
        return EXIT_FAILED;
    bool good = triage_read(&triage, dir) && alert_log_all(dir, take, &explaining, &any);
    triage_free(&triage);
    if (!good)
        return EXIT_FAILED;
    if (explaining.found == 0)
        return complain(EXIT_FAILED, any ? "no alert has this id" : "there are no alerts");
    return EXIT_GOOD;
}

const struct command command_explain = {
    .name = "explain",
    .usage = "ID",
    .operands = "ID",
    .summary = "tell everything about one alert",
    .details = "ID is what a block answer shows to its client, or what `guard alerts` prints. What "
               "the exchange itself "
               "caused is told, too.",
    .options = options,
    .run = run,
};
