/* SPDX-License-Identifier: Apache-2.0 */
/* `guard pods`: what the pods of a service do, which one does what no other does, and deciding
 * about that. */
#include "command.h"
#include "common/file.h"
#include "common/pods/decisions.h"
#include "common/pods/resumes.h"
#include "common/pods/withdrawals.h"
#include "remote.h"
#include "state_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PODS_FOR, PODS_REASON, PODS_STATE, PODS_SERVER };
enum { ARENA_MAX = 64 << 20, AGO_MS = 60000, HOUR_SECONDS = 3600 };

static const struct option_spec options[] = {
    {"for", "TIME",
     "session: 30m, 2h; at most 24h (default 1h); withdraw: at most 1h; 0s ends either"},
    {"reason", "TEXT", "why, for the audit log (required to decide)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static void say(const char *text)
{
    print_clean(text, strlen(text));
}

static const struct document_node *list_of(const struct document_node *of, const char *name)
{
    const struct document_node *list = member_of(of, name);
    return list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
}

/* --- where it comes from --- */

static bool load(const struct remote *remote, const char *dir, const char *service,
                 struct document *out)
{
    char path[STATE_PATH_MAX];
    if (remote->server != NULL)
        return remote_service(remote, "GET", span(service), "/pods", NULL, out);
    if (state_path(path, dir, "pods", span(service), ".json") != GUARD_OK)
        return complain(0, "no name of a service") != 0;
    return state_document(path, remote->arena, out, true) ||
           complain(0, "nothing is known of pods of %s; does guardd get records of them?",
                    service) != 0;
}

/* --- showing --- */

static void print_thing(const struct document_node *thing)
{
    printf("    ");
    say(text_of(thing, "id"));
    printf("  ");
    say(text_of(thing, "text"));
    if (text_of(thing, "review")[0] != '\0' && strcmp(text_of(thing, "review"), "none") != 0) {
        printf("  (");
        say(text_of(thing, "review"));
        printf(")");
    }
    printf("\n");
}

static bool is_true(const struct document_node *of, const char *name)
{
    return strcmp(text_of(of, name), "true") == 0;
}

static void print_until(const struct document_node *of, const char *name, const char *before)
{
    char text[CLOCK_TEXT_MAX] = "";
    if (number_of(of, name) > 0 && clock_text(text, number_of(of, name)))
        printf("%s%s", before, text);
}

static const char *stop_text(const char *reason)
{
    return strcmp(reason, "same-evidence") == 0 ? "another pod showed the same"
           : strcmp(reason, "replacement") == 0 ? "the replacement did the same"
                                                : "a person must look";
}

/* Why nothing is done, or that something may be. */
static void print_books(const struct document_node *books)
{
    const struct document_node *budget = member_of(books, "budget");
    const struct document_node *stopped = member_of(books, "stopped");
    if (budget == NULL)
        return;
    printf("  budget: %lld of %lld pods in %lld s%s: ", (long long)whole_of(budget, "spent"),
           (long long)whole_of(budget, "allowed"), (long long)whole_of(budget, "window_seconds"),
           is_true(books, "dry_run") ? ", dry run" : "");
    say(text_of(budget, "permit"));
    print_until(budget, "next_ms", ", the next one from ");
    printf("\n");
    if (stopped != NULL && stopped->kind == DOCUMENT_MAPPING) {
        printf("  stopped");
        print_until(stopped, "since_ms", " since ");
        printf(": %s; %s\n", stop_text(text_of(stopped, "reason")),
               is_true(books, "resume_pending") ? "it is asked to go on"
                                                : "look, then `guard pods resume`");
    }
    for (const struct document_node *pod = list_of(books, "contained"); pod != NULL;
         pod = pod->next) {
        printf("  %s: ", is_true(pod, "frozen") ? "frozen" : "contained");
        say(text_of(pod, "pod"));
        print_until(pod, "until_ms", " until ");
        printf("\n");
    }
}

/* Per minute; where a name says what else, of that. */
static void print_amounts(const struct document_node *amounts)
{
    if (amounts == NULL || amounts->kind != DOCUMENT_MAPPING || amounts->first == NULL)
        return;
    printf("    a minute:");
    for (const struct document_node *one = amounts->first; one != NULL; one = one->next) {
        printf(" ");
        say((const char *)one->key->text.ptr);
        printf(" %lld%s", (long long)whole_of(amounts, (const char *)one->key->text.ptr),
               one->next != NULL ? "," : "");
    }
    printf("\n");
}

static void print_workload(const struct document_node *workload, bool whole)
{
    say(text_of(workload, "namespace"));
    printf("/");
    say(text_of(workload, "workload"));
    printf(" ");
    say(text_of(workload, "container"));
    printf(": %s, %lld records in %lld replica days, %lld of %lld things are normal\n",
           strcmp(text_of(workload, "ready"), "true") == 0 ? "compares" : "still learning",
           (long long)whole_of(workload, "records"), (long long)whole_of(workload, "replica_days"),
           (long long)whole_of(workload, "normal"), (long long)whole_of(workload, "known"));
    print_books(member_of(workload, "responder"));
    for (const struct document_node *replica = list_of(workload, "replicas"); replica != NULL;
         replica = replica->next) {
        printf("  ");
        say(text_of(replica, "pod"));
        printf(": %lld records, %lld things alone", (long long)whole_of(replica, "records"),
               (long long)whole_of(replica, "alone_count"));
        if (text_of(replica, "reporter")[0] != '\0') {
            printf(", says ");
            say(text_of(replica, "reporter"));
        }
        printf("\n");
        if (whole)
            print_amounts(member_of(replica, "amounts"));
        for (const struct document_node *thing = whole ? list_of(replica, "alone") : NULL;
             thing != NULL; thing = thing->next)
            print_thing(thing);
    }
}

static void print_time(const struct document_node *of, const char *name)
{
    char text[CLOCK_TEXT_MAX] = "";
    (void)clock_text(text, number_of(of, name));
    printf("%s  ", text);
}

static void print_case(const struct document_node *entry, bool whole)
{
    print_time(entry, "told_ms");
    say(text_of(entry, "explanation"));
    printf("\n");
    for (const struct document_node *thing = whole ? list_of(entry, "evidence") : NULL;
         thing != NULL; thing = thing->next)
        print_thing(thing);
}

static void print_order(const struct document_node *order)
{
    const struct document_node *end = member_of(order, "end");
    print_time(order, "decided_ms");
    printf("order ");
    say(text_of(order, "id"));
    printf(" for ");
    say(text_of(order, "namespace"));
    printf("/");
    say(text_of(order, "pod"));
    printf("%s: ", strcmp(text_of(order, "dry_run"), "true") == 0 ? " (dry run)" : "");
    bool ended = end != NULL && end->kind == DOCUMENT_MAPPING;
    say(ended ? text_of(end, "end") : "goes on");
    printf("\n");
    for (const struct document_node *step = list_of(order, "steps"); step != NULL;
         step = step->next) {
        printf("    ");
        say(text_of(step, "step"));
        printf(" ");
        say(text_of(step, "outcome"));
        printf("  ");
        say(text_of(step, "detail"));
        printf("\n");
    }
}

static void print_session(const struct document_node *session)
{
    printf("somebody debugs in ");
    say(text_of(session, "namespace"));
    printf("/");
    say(text_of(session, "pod"));
    printf("\n");
}

static void print_withdrawal(const struct document_node *one)
{
    printf("withdrawn, ");
    printf(is_true(one, "obeyed") ? "its gate answers with 503" : "its gate didn't say so yet");
    printf(": ");
    say(text_of(one, "namespace"));
    printf("/");
    say(text_of(one, "pod"));
    print_until(one, "until_ms", " until ");
    printf(" by ");
    say(text_of(one, "by"));
    printf(": ");
    say(text_of(one, "reason"));
    printf("\n");
}

static void print_responder(const struct document_node *responder)
{
    if (responder == NULL || responder->kind != DOCUMENT_MAPPING)
        return;
    bool lives = is_true(responder, "lives");
    bool broken = text_of(responder, "broken")[0] != '\0' &&
                  strcmp(text_of(responder, "broken"), "null") != 0;
    if (!lives) {
        printf("the responder doesn't answer");
        print_until(responder, "seen_ms", ", seen at ");
        printf("\n");
    }
    if (is_true(responder, "stopped"))
        printf("the responder is stopped by a person's file\n");
    if (broken) {
        printf("the responder does nothing: ");
        say(text_of(responder, "broken"));
        printf("\n");
    }
    if (member_of(responder, "hour") != NULL &&
        number_of(member_of(responder, "hour"), "next_ms") > 0) {
        printf("the responder's pods of an hour are spent");
        print_until(member_of(responder, "hour"), "next_ms", " until ");
        printf("\n");
    }
}

/* Where guardds share a database and the one that was asked doesn't learn the service. */
static void print_learner(const struct document_node *root)
{
    if (member_of(root, "learned_by") == NULL)
        return;
    const char *learner = text_of(root, "learned_by");
    if (learner[0] == '\0') {
        printf("no guardd learns the service now: workloads are as they were saved last\n");
        return;
    }
    printf("this guardd doesn't learn the service, ");
    say(learner);
    printf(" does: workloads are as it saved them; what was told and ordered, and who reports, is "
           "known there\n");
}

static void print_pods(const struct document_node *root, bool whole)
{
    print_learner(root);
    print_responder(member_of(root, "responder"));
    for (const struct document_node *node = list_of(root, "workloads"); node != NULL;
         node = node->next)
        print_workload(node, whole);
    for (const struct document_node *node = list_of(root, "cases"); node != NULL; node = node->next)
        print_case(node, whole);
    for (const struct document_node *node = list_of(root, "orders"); node != NULL;
         node = node->next)
        print_order(node);
    for (const struct document_node *node = list_of(root, "sessions"); node != NULL;
         node = node->next)
        print_session(node);
    for (const struct document_node *node = list_of(root, "withdrawals"); node != NULL;
         node = node->next)
        print_withdrawal(node);
}

/* --- deciding --- */

static bool find_in(const struct document_node *list, const char *id, char what[])
{
    for (; list != NULL; list = list->next) {
        if (strcmp(text_of(list, "id"), id) != 0)
            continue;
        snprintf(what, POD_DECISION_WHAT_MAX, "%s", text_of(list, "text"));
        return true;
    }
    return false;
}

/* In what was told, then in what replicas do alone. */
static bool find_thing(const struct document_node *root, const char *id, char what[])
{
    for (const struct document_node *entry = list_of(root, "cases"); entry != NULL;
         entry = entry->next) {
        if (find_in(list_of(entry, "evidence"), id, what))
            return true;
    }
    for (const struct document_node *workload = list_of(root, "workloads"); workload != NULL;
         workload = workload->next) {
        for (const struct document_node *replica = list_of(workload, "replicas"); replica != NULL;
             replica = replica->next) {
            if (find_in(list_of(replica, "alone"), id, what))
                return true;
        }
    }
    return false;
}

static int told(const char *service, const char *word, const char *what)
{
    printf("%s: %s ", service, word);
    say(what);
    printf("\n");
    return EXIT_GOOD;
}

static int decide_by_api(const struct remote *remote, const char *service, const char *word,
                         const char *id, const char *reason)
{
    struct document document;
    struct remote_body body;
    remote_body(&body);
    json_text(&body.json, "id", id);
    json_text(&body.json, "decision", word);
    json_text(&body.json, "reason", reason);
    if (!remote_service(remote, "POST", span(service), "/pods/decisions", &body, &document))
        return EXIT_FAILED;
    return told(service, word, text_of(document.root, "what"));
}

static int decide(const struct remote *remote, const char *dir, const char *service,
                  const char *word, const char *id, const char *reason)
{
    char what[POD_DECISION_WHAT_MAX] = "";
    struct document document;
    struct state_change by;
    struct guard_err err;
    struct pod_decision decision = {.review = strcmp(word, "approve") == 0 ? GUARD_POD_APPROVED
                                                                           : GUARD_POD_REFUSED,
                                    .what = what};
    if (!pod_thing_id_read(id, &decision.id))
        return complain(EXIT_USAGE,
                        "an id has sixteen digits of 0-9a-f, as `guard pods show` says");
    if (remote->server != NULL)
        return decide_by_api(remote, service, word, id, reason);
    if (!load(remote, dir, service, &document))
        return EXIT_FAILED;
    if (!find_thing(document.root, id, what))
        return complain(EXIT_FAILED, "nothing that is shown of %s has the id %s", service, id);
    state_share();
    if (!state_change(&by, dir, span(service), reason))
        return EXIT_FAILED;
    if (change_pod_decision(&by.change, &decision, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    return told(service, word, what);
}

static int session_by_api(const struct remote *remote, const char *service, const char *pod,
                          unsigned long seconds, const char *reason)
{
    struct document document;
    struct remote_body body;
    remote_body(&body);
    json_text(&body.json, "pod", pod);
    if (seconds > 0)
        json_integer(&body.json, "seconds", (int64_t)seconds);
    json_text(&body.json, "reason", reason);
    if (!remote_service(remote, "POST", span(service), "/pods/sessions", &body, &document))
        return EXIT_FAILED;
    return told(service, seconds > 0 ? "somebody debugs in" : "nobody debugs any more in", pod);
}

static int session(const struct remote *remote, const char *dir, const char *service,
                   const char *pod, unsigned long seconds, const char *reason)
{
    char name_space[GUARD_POD_NAME_MAX + 1];
    size_t len = strcspn(pod, "/");
    struct state_change by;
    struct guard_err err;
    if (pod[len] != '/' || len >= sizeof(name_space))
        return complain(EXIT_USAGE, "say NAMESPACE/POD");
    if (remote->server != NULL)
        return session_by_api(remote, service, pod, seconds, reason);
    memcpy(name_space, pod, len);
    name_space[len] = '\0';
    state_share();
    if (!state_service_known(dir, span(service), false) ||
        !state_change(&by, dir, span(service), reason))
        return EXIT_FAILED;
    if (change_pod_session(&by.change, name_space, pod + len + 1, seconds, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    return told(service, seconds > 0 ? "somebody debugs in" : "nobody debugs any more in", pod);
}

static bool find_workload(const struct document_node *root, const char *both)
{
    for (const struct document_node *one = list_of(root, "workloads"); one != NULL;
         one = one->next) {
        const char *name_space = text_of(one, "namespace");
        size_t len = strlen(name_space);
        if (strncmp(both, name_space, len) == 0 && both[len] == '/' &&
            strcmp(both + len + 1, text_of(one, "workload")) == 0)
            return true;
    }
    return false;
}

static int resume_by_api(const struct remote *remote, const char *service, const char *workload,
                         const char *reason)
{
    struct document document;
    struct remote_body body;
    remote_body(&body);
    json_text(&body.json, "workload", workload);
    json_text(&body.json, "reason", reason);
    if (!remote_service(remote, "POST", span(service), "/pods/resume", &body, &document))
        return EXIT_FAILED;
    return told(service, "the responder is asked to go on with", workload);
}

static int resume(const struct remote *remote, const char *dir, const char *service,
                  const char *workload, const char *reason)
{
    char name_space[GUARD_POD_NAME_MAX + 1];
    size_t len = strcspn(workload, "/");
    struct document document;
    struct state_change by;
    struct guard_err err;
    if (workload[len] != '/' || len >= sizeof(name_space))
        return complain(EXIT_USAGE, "say NAMESPACE/WORKLOAD");
    if (remote->server != NULL)
        return resume_by_api(remote, service, workload, reason);
    if (!load(remote, dir, service, &document))
        return EXIT_FAILED;
    if (!find_workload(document.root, workload))
        return complain(EXIT_FAILED, "%s has no workload %.200s", service, workload);
    memcpy(name_space, workload, len);
    name_space[len] = '\0';
    state_share();
    if (!state_change(&by, dir, span(service), reason))
        return EXIT_FAILED;
    if (change_pod_resume(&by.change, name_space, workload + len + 1, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    return told(service, "the responder is asked to go on with", workload);
}

/* --- the command --- */

/* The id of the one that is in force of "NAMESPACE/POD"; NULL: there is none. */
static const char *withdrawal_of(const struct document_node *root, const char *pod)
{
    for (const struct document_node *one = list_of(root, "withdrawals"); one != NULL;
         one = one->next) {
        const char *name_space = text_of(one, "namespace");
        size_t len = strlen(name_space);
        if (strncmp(pod, name_space, len) == 0 && pod[len] == '/' &&
            strcmp(pod + len + 1, text_of(one, "pod")) == 0)
            return text_of(one, "id");
    }
    return NULL;
}

static int serve_again(const struct remote *remote, const char *service, const char *pod,
                       const char *reason)
{
    char path[3 * CHANGE_REASON_MAX + POD_ORDER_ID_MAX + 64], escaped[3 * CHANGE_REASON_MAX + 1];
    struct document document;
    if (!load(remote, "", service, &document))
        return EXIT_FAILED;
    const char *id = withdrawal_of(document.root, pod);
    if (id == NULL || !pod_order_id_valid(span(id)))
        return complain(EXIT_FAILED, "%s isn't withdrawn", pod);
    if (!remote_escape(escaped, sizeof(escaped), reason))
        return complain(EXIT_USAGE, "--reason: is too long");
    snprintf(path, sizeof(path), "/pods/withdrawals/%s?reason=%s", id, escaped);
    if (!remote_service(remote, "DELETE", span(service), path, NULL, &document))
        return EXIT_FAILED;
    return told(service, "served again", pod);
}

/* Only guardd can tell the gates of other machines: there is nothing to write here. */
static int withdraw(const struct remote *remote, const char *service, const char *pod,
                    const char *time, const char *reason)
{
    struct document document;
    struct remote_body body;
    bool ends = time != NULL && strcmp(time, "0s") == 0;
    unsigned long seconds = time == NULL ? 0 : read_seconds(time, POD_WITHDRAWAL_SECONDS_MAX);
    if (remote->server == NULL)
        return complain(EXIT_USAGE, "guardd tells the pod's gate: say --server (at its own machine "
                                    "unix:DIR/api.sock of the state directory)");
    if (ends)
        return serve_again(remote, service, pod, reason);
    if (seconds == 0)
        return complain(EXIT_USAGE, "--for needs a time from 1s to 1h, or 0s");
    remote_body(&body);
    json_text(&body.json, "pod", pod);
    json_integer(&body.json, "seconds", (int64_t)seconds);
    json_text(&body.json, "reason", reason);
    if (!remote_service(remote, "POST", span(service), "/pods/withdrawals", &body, &document))
        return EXIT_FAILED;
    return told(service, "withdrawn is", pod);
}

static int show(const struct remote *remote, const char *dir, const char *service, bool whole)
{
    struct document document;
    if (!load(remote, dir, service, &document))
        return EXIT_FAILED;
    if (remote->server == NULL &&
        number_of(document.root, "time_ms") + AGO_MS < (double)clock_unix_ms())
        complain(0, "guardd hasn't written this for more than a minute");
    print_pods(document.root, whole);
    return EXIT_GOOD;
}

static int act(const struct remote *remote, const struct arguments *arguments)
{
    const char *dir = state_dir(arguments->values[PODS_STATE]);
    const char *reason = arguments->values[PODS_REASON];
    const char *time = arguments->values[PODS_FOR];
    const char *verb = arguments->operands[0], *service = arguments->operands[1];
    if (reason == NULL || reason[0] == '\0')
        return complain(EXIT_USAGE, "--reason is needed");
    if (strcmp(verb, "resume") == 0)
        return resume(remote, dir, service, arguments->operands[2], reason);
    if (strcmp(verb, "withdraw") == 0)
        return withdraw(remote, service, arguments->operands[2], time, reason);
    if (strcmp(verb, "session") != 0)
        return decide(remote, dir, service, verb, arguments->operands[2], reason);
    bool ends = time != NULL && strcmp(time, "0s") == 0;
    unsigned long seconds = time == NULL ? HOUR_SECONDS
                            : ends       ? 0
                                         : read_seconds(time, POD_SESSION_SECONDS_MAX);
    if (!ends && seconds == 0)
        return complain(EXIT_USAGE, "--for needs a time from 1s to 24h, or 0s");
    return session(remote, dir, service, arguments->operands[2], seconds, reason);
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0)
            return true;
    }
    return false;
}

static int run(const struct arguments *arguments)
{
    static const char *const shows[] = {"list", "show", NULL};
    static const char *const acts[] = {"approve", "refuse", "resume", "session", "withdraw", NULL};
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct remote remote;
    const char *verb = arguments->count > 0 ? arguments->operands[0] : "";
    bool shown = arguments->count == 2 && is_one_of(verb, shows);
    if (!shown && !(arguments->count == 3 && is_one_of(verb, acts)))
        return complain(EXIT_USAGE,
                        "say `guard pods list|show SERVICE`, `guard pods "
                        "approve|refuse SERVICE ID --reason TEXT`, `guard pods "
                        "session|withdraw SERVICE NAMESPACE/POD --reason TEXT` or `guard pods "
                        "resume SERVICE NAMESPACE/WORKLOAD --reason TEXT`");
    if (!state_service_valid(span(arguments->operands[1])))
        return complain(EXIT_USAGE, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
    guard_arena_init(&arena, &heap, ARENA_MAX);
    if (!remote_open(&remote, arguments, PODS_STATE, PODS_SERVER, &arena))
        return EXIT_USAGE;
    remote.arena = &arena;
    int rc = shown ? show(&remote, state_dir(arguments->values[PODS_STATE]), arguments->operands[1],
                          strcmp(verb, "show") == 0)
                   : act(&remote, arguments);
    guard_arena_reset(&arena);
    return rc;
}

const struct command command_pods = {
    .name = "pods",
    .usage = "list|show SERVICE | approve|refuse SERVICE ID | session|withdraw SERVICE "
             "NAMESPACE/POD | resume SERVICE NAMESPACE/WORKLOAD",
    .operands = "list|show|approve|refuse|session|withdraw|resume SERVICE",
    .summary = "show what a service's pods do and which one does what no other does; decide",
    .details = "What is approved is normal from now on, what is refused never becomes so, in all "
               "workloads of the service. While a session lasts what that pod does is told and "
               "not acted on. resume asks the responder to go on with a workload for which it "
               "stopped because two of its pods did the same; what ended orders left withdrawn in "
               "it serves again then. While a pod is withdrawn its own gate answers with 503: "
               "needs --server, and guardd beside the pod with --pod.",
    .options = options,
    .run = run,
};
