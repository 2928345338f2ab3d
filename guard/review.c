/* SPDX-License-Identifier: Apache-2.0 */
/* `guard review`: what the learner holds back, and what people decide about it. Decisions are kept
 * in the state directory's reviews/SERVICE.json; guardd learns by them within seconds. */
#include "review_queue.h"

#include "command.h"
#include "common/file.h"
#include "common/review_edit.h"
#include "common/review_match.h"
#include "mirror.h"
#include "service_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    REVIEW_STATE,
    REVIEW_SERVICE,
    REVIEW_FORMAT,
    REVIEW_BY,
    REVIEW_WHY,
    REVIEW_ALL,
    REVIEW_ALERT,
    REVIEW_DRY_RUN,
    REVIEW_SERVER
};
enum { IDS_MAX = 256, ARENA_MAX = 32 << 20 };

static const struct option_spec options[] = {
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"service", "NAME", "only this service"},
    {"format", "text|jsonl", "for people or one JSON object for each thing (default text)"},
    {"by", "NAME", "who decides (default: the user)"},
    {"why", "TEXT", "why (required to accept and to refuse)"},
    {"all", NULL, "all that wait of the service; what reads like an attack isn't accepted so"},
    {"alert", "ID", "what waits of what this alert tells, and nothing else"},
    {"dry-run", NULL, "only say what would be decided"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

bool review_open(struct review_service *service, const char *dir, const char *name)
{
    char path[STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    *service = (struct review_service){.dir = dir};
    guard_arena_init(&service->arena, &heap, ARENA_MAX);
    snprintf(service->name_text, sizeof(service->name_text), "%s", name);
    service->name =
        (struct guard_span){(const uint8_t *)service->name_text, strlen(service->name_text)};
    if (state_path(path, dir, "reviews", service->name, ".json") != GUARD_OK)
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    if (access(path, F_OK) == 0) {
        if (review_load(&service->document, path, &service->arena, &err) != GUARD_OK)
            return complain(0, "%s", err.text) != 0;
    }
    service->document.service = service->name;
    if (!state_guardian(dir, service->name, &service->arena, &service->guardian) ||
        state_path(path, dir, "piles", service->name, ".pile") != GUARD_OK)
        return false;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    struct guard_pile_cfg cfg = {.alloc = heap};
    struct guard_pile *pile = pile_open(path, &cfg, NULL);
    const struct guard_review said = {service->document.entries, service->document.count};
    service->model =
        pile != NULL ? pile_model_reviewed(pile, service->guardian.support, &said) : NULL;
    guard_pile_free(pile);
    return service->model != NULL && review_add_held(service);
}

void review_close(struct review_service *service)
{
    guard_model_free(service->model);
    service->model = NULL;
    guard_arena_reset(&service->arena);
}

/* --- all services, or one --- */

struct walk {
    const struct arguments *arguments;
    const char *dir;
    const struct remote *remote; /* of which dir is a mirror; NULL: it is the state itself */
    bool (*visit)(struct walk *walk, struct review_service *service);
    bool failed;
    /* of a list */
    struct review_reports reports;
    uint32_t shown;
    bool jsonl;
    /* of a decision */
    enum guard_review_decision decision; /* WAITING: it is taken back */
    const char *by;
    const char *why;
    const char *only; /* the service; NULL: all */
    bool by_alert;    /* what reports tell of is meant */
    bool dry;
    uint32_t decided;
    uint32_t found[IDS_MAX]; /* by operand: how many things have this id */
    uint32_t services;
};

static void visit(void *ctx, const char *name)
{
    struct walk *walk = ctx;
    struct review_service service;
    if (walk->only != NULL && strcmp(walk->only, name) != 0)
        return;
    walk->services++;
    if (!review_open(&service, walk->dir, name) || !walk->visit(walk, &service))
        walk->failed = true;
    review_close(&service);
}

static bool walk_all(struct walk *walk)
{
    walk->services = 0;
    state_services(walk->dir, visit, walk);
    if (walk->services == 0 && walk->only != NULL)
        return complain(0, "no service \"%s\" in %s", walk->only, walk->dir) != 0;
    return !walk->failed;
}

/* --- the list --- */

static bool list_one(struct walk *walk, struct review_service *service)
{
    uint32_t room = REVIEW_SHOWN_MAX - walk->shown;
    walk->shown += walk->jsonl ? review_print_json(service, &walk->reports, room)
                               : review_print_text(service, &walk->reports, room);
    return true;
}

static int list(struct walk *walk)
{
    const char *format = walk->arguments->values[REVIEW_FORMAT];
    walk->jsonl = format != NULL && strcmp(format, "jsonl") == 0;
    if (format != NULL && !walk->jsonl && strcmp(format, "text") != 0)
        return complain(EXIT_USAGE, "--format is text or jsonl");
    walk->visit = list_one;
    bool good = review_reports_read(&walk->reports, walk->dir, NULL) && walk_all(walk);
    review_reports_free(&walk->reports);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

/* --- decisions --- */

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, text != NULL ? strlen(text) : 0};
}

static const char *operand_of(const struct walk *walk, int at)
{
    return walk->arguments->operands[1 + at];
}

/* The operand that names the element; -1: none does. */
static int named_by(const struct walk *walk, const struct review_service *service,
                    const struct guard_review_element *element)
{
    char id[GUARD_REVIEW_ID_CHARS + 1];
    guard_review_id(id, service->name, element);
    for (int i = 0; i < walk->arguments->count - 1; i++) {
        if (strcmp(operand_of(walk, i), id) == 0)
            return i;
    }
    return -1;
}

/* Things that were decided about are found also when the pile knows nothing of them. */
static bool count_one(struct walk *walk, struct review_service *service)
{
    for (uint32_t i = 0; i < service->document.count; i++) {
        int at = named_by(walk, service, &service->document.entries[i].element);
        if (at >= 0)
            walk->found[at]++;
    }
    for (uint32_t i = 0; service->model != NULL && i < service->model->pending_count; i++) {
        const struct guard_review_element *element = &service->model->pending[i].element;
        int at = named_by(walk, service, element);
        if (at >= 0 && review_decided_at(&service->document, element) < 0)
            walk->found[at]++;
    }
    return true;
}

static bool audit(const struct walk *walk, const struct review_service *service,
                  const struct guard_review_element *element, enum guard_review_decision before)
{
    static const char *const words[] = {"reset", "accept", "refuse"};
    char id[GUARD_REVIEW_ID_CHARS + 1];
    char title[REVIEW_LINE_MAX];
    char after[1024];
    guard_review_id(id, service->name, element);
    snprintf(after, sizeof(after), "%s %s %.900s", words[walk->decision], id,
             review_title(title, element));
    if (walk->remote == NULL && !walk->dry &&
        !state_audit(walk->dir, service->name, "review", guard_review_decision_name(before), after,
                     walk->why != NULL ? walk->why : ""))
        return false;
    printf("%.*s: %s%s\n", (int)service->name.len, (const char *)service->name.ptr,
           walk->dry ? "would " : "", after);
    return true;
}

/* One by one, as they are told: what was told is done. */
static bool decide_remote(const struct walk *walk, const struct review_service *service,
                          const struct guard_review_element *element)
{
    static const char *const words[] = {"reset", "accept", "refuse"};
    char id[GUARD_REVIEW_ID_CHARS + 1];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    const struct remote remote = {walk->remote->server, &arena};
    struct remote_body body;
    struct document document;
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    guard_review_id(id, service->name, element);
    remote_body(&body);
    json_text(&body.json, "decision", words[walk->decision]);
    json_open(&body.json, "ids", '[');
    json_text(&body.json, NULL, id);
    json_close(&body.json, ']');
    json_text(&body.json, "why", walk->why != NULL ? walk->why : "");
    bool good = remote_service(&remote, "POST", service->name, "/review", &body, &document);
    guard_arena_reset(&arena);
    return good;
}

static bool decide(struct walk *walk, struct review_service *service,
                   const struct guard_review_element *element)
{
    struct guard_err err;
    const struct review_note note = {span_of(walk->by), span_of(walk->why), clock_unix_ms()};
    int at = review_decided_at(&service->document, element);
    walk->decided++;
    if (walk->remote != NULL && !walk->dry && !decide_remote(walk, service, element))
        return false;
    if (!audit(walk, service, element,
               at >= 0 ? service->document.entries[at].decision : GUARD_REVIEW_WAITING))
        return false;
    return review_decide(&service->document, element, walk->decision, &note, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static bool save(struct review_service *service)
{
    struct guard_err err;
    return review_save(&service->document, service->dir, &service->arena, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static bool make_room(struct review_service *service)
{
    struct guard_err err;
    return review_make_room(&service->document, &service->arena, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

/* In bulk nothing is accepted that reads like an attack. */
static bool in_bulk(const struct walk *walk, const struct review_service *service,
                    const struct guard_review_pending *pending)
{
    char id[GUARD_REVIEW_ID_CHARS + 1];
    char title[REVIEW_LINE_MAX];
    if (walk->arguments->values[REVIEW_ALL] == NULL || pending->decision != GUARD_REVIEW_WAITING)
        return false;
    if (walk->decision != GUARD_REVIEW_ACCEPTED || pending->likeness == 0)
        return true;
    guard_review_id(id, service->name, &pending->element);
    printf("left out, reads like an attack: %s %s\n", id, review_title(title, &pending->element));
    return false;
}

static bool of_finding(const struct review_report *report, const struct review_service *service,
                       const struct guard_review_pending *pending)
{
    return pending->decision == GUARD_REVIEW_WAITING &&
           review_report_tells(report, service, &pending->element);
}

static bool of_alert(const struct walk *walk, const struct review_service *service,
                     const struct guard_review_pending *pending)
{
    for (uint32_t i = 0; walk->by_alert && i < walk->reports.count; i++) {
        if (of_finding(&walk->reports.list[i], service, pending))
            return true;
    }
    return false;
}

static void print_candidate(const struct review_service *service,
                            const struct guard_review_element *element)
{
    char id[GUARD_REVIEW_ID_CHARS + 1];
    char title[REVIEW_LINE_MAX];
    guard_review_id(id, service->name, element);
    printf("  %s  %s\n", id, review_title(title, element));
}

/* An alert shows the shape of a path, which several may have: which of them is meant nobody knows
 * but who asks. */
static bool is_plain(struct walk *walk, struct review_service *service)
{
    bool plain = true;
    uint32_t count = service->model != NULL ? service->model->pending_count : 0;
    for (uint32_t i = 0; i < walk->reports.count; i++) {
        const struct review_report *report = &walk->reports.list[i];
        uint32_t found = 0;
        for (uint32_t j = 0; j < count; j++)
            found += of_finding(report, service, &service->model->pending[j]);
        if (found < 2)
            continue;
        for (uint32_t j = 0; j < count; j++) {
            if (of_finding(report, service, &service->model->pending[j]))
                print_candidate(service, &service->model->pending[j].element);
        }
        plain = complain(0, "%u things may be meant: say which by guard review %s ID", found,
                         walk->decision == GUARD_REVIEW_ACCEPTED ? "accept" : "refuse") != 0;
    }
    return plain;
}

static bool decide_one(struct walk *walk, struct review_service *service)
{
    bool good = make_room(service), changed = false;
    for (uint32_t i = 0; good && service->model != NULL && i < service->model->pending_count; i++) {
        const struct guard_review_pending *pending = &service->model->pending[i];
        if (named_by(walk, service, &pending->element) >= 0 || in_bulk(walk, service, pending) ||
            of_alert(walk, service, pending)) {
            good = decide(walk, service, &pending->element);
            changed = true;
        }
    }
    /* From the last on: what is taken back moves those behind it. */
    for (uint32_t i = service->document.count; good && i > 0; i--) {
        const struct guard_review_entry entry = service->document.entries[i - 1];
        if (entry.decision == walk->decision || named_by(walk, service, &entry.element) < 0)
            continue;
        good = decide(walk, service, &entry.element);
        changed = true;
    }
    return good && (!changed || walk->dry || walk->remote != NULL || save(service));
}

static bool all_found(const struct walk *walk)
{
    bool good = true;
    for (int i = 0; i < walk->arguments->count - 1; i++) {
        if (walk->found[i] == 0)
            good = complain(0, "nothing has the id %s; guard review lists what waits",
                            operand_of(walk, i)) != 0;
        else if (walk->found[i] > 1)
            good = complain(0, "%u things have the id %s; say --service NAME", walk->found[i],
                            operand_of(walk, i)) != 0;
    }
    return good;
}

/* What each finding of the alert would need instead. */
static int nothing_waits(const struct walk *walk, const char *id)
{
    for (uint32_t i = 0; i < walk->reports.count; i++) {
        const struct review_report *report = &walk->reports.list[i];
        const struct review_seen seen = {report->method,   report->path, report->part,
                                         report->location, report->name, report->rule,
                                         report->observed};
        char texts[2][512];
        printf("%s %s (%s): %s\n", clean(texts[0], 512, report->location, strlen(report->location)),
               clean(texts[1], 512, report->name, strlen(report->name)), report->rule,
               review_untaught_text(review_untaught(&seen)));
    }
    return complain(EXIT_FAILED, "nothing waits of what alert %s tells", id);
}

static int act_by_alert(struct walk *walk)
{
    const char *id = walk->arguments->values[REVIEW_ALERT];
    int status = EXIT_FAILED;
    if (review_reports_read(&walk->reports, walk->dir, id)) {
        if (walk->reports.count == 0) {
            status = complain(EXIT_FAILED, "no alert that is kept has the id %s", id);
        } else {
            walk->only = walk->reports.list[0].service;
            walk->by_alert = true;
            walk->visit = is_plain;
            bool plain = walk_all(walk);
            walk->visit = decide_one;
            if (plain && walk_all(walk))
                status = walk->decided > 0 ? EXIT_GOOD : nothing_waits(walk, id);
        }
    }
    review_reports_free(&walk->reports);
    return status;
}

static int act(struct walk *walk)
{
    if (walk->arguments->values[REVIEW_ALERT] != NULL)
        return act_by_alert(walk);
    walk->visit = count_one;
    if (walk->arguments->count > 1 && (!walk_all(walk) || !all_found(walk)))
        return EXIT_FAILED;
    walk->visit = decide_one;
    return walk_all(walk) ? EXIT_GOOD : EXIT_FAILED;
}

static bool usable(const struct walk *walk)
{
    bool all = walk->arguments->values[REVIEW_ALL] != NULL;
    int ids = walk->arguments->count - 1;
    if (walk->arguments->values[REVIEW_ALERT] != NULL) {
        if (all || ids > 0 || walk->decision == GUARD_REVIEW_WAITING)
            return complain(0, "--alert says what is meant: no ids, no --all, not of reset") != 0;
    } else if (all ? ids > 0 || walk->arguments->values[REVIEW_SERVICE] == NULL ||
                         walk->decision == GUARD_REVIEW_WAITING
                   : ids < 1 || ids > IDS_MAX) {
        return complain(0,
                        "say `guard review accept|refuse|reset ID...`, at most %d of them, or "
                        "`guard review accept|refuse --all --service NAME`",
                        (int)IDS_MAX) != 0;
    }
    if (walk->dry)
        return true;
    if (walk->decision != GUARD_REVIEW_WAITING && (walk->why == NULL || walk->why[0] == '\0'))
        return complain(0, "--why is needed") != 0;
    if ((walk->why != NULL && strlen(walk->why) > REVIEW_NOTE_MAX) ||
        strlen(walk->by) > REVIEW_NOTE_MAX)
        return complain(0, "--by and --why have at most %d bytes", (int)REVIEW_NOTE_MAX) != 0;
    return true;
}

/* reports: with what was reported. */
static const char *mirror(const struct walk *walk, bool reports)
{
    static const struct remote files = {NULL, NULL};
    const unsigned parts = MIRROR_GUARDIAN | MIRROR_REVIEW | MIRROR_LEARNED | MIRROR_STATUS |
                           (reports ? MIRROR_ALERTS | MIRROR_TRIAGE : 0);
    return mirror_or_state(walk->remote != NULL ? walk->remote : &files, walk->dir, parts,
                           walk->arguments->values[REVIEW_SERVICE],
                           walk->arguments->values[REVIEW_ALERT]);
}

static int run(const struct arguments *arguments)
{
    static struct walk walk;
    char user[128];
    const char *verb = arguments->count > 0 ? arguments->operands[0] : "list";
    user_name(user, sizeof(user));
    walk = (struct walk){.arguments = arguments,
                         .dir = state_dir(arguments->values[REVIEW_STATE]),
                         .by = arguments->values[REVIEW_BY],
                         .why = arguments->values[REVIEW_WHY],
                         .only = arguments->values[REVIEW_SERVICE],
                         .dry = arguments->values[REVIEW_DRY_RUN] != NULL};
    if (walk.by == NULL)
        walk.by = user;
    static struct remote remote;
    bool lists = strcmp(verb, "list") == 0 && arguments->count <= 1;
    if (!remote_open(&remote, arguments, REVIEW_STATE, REVIEW_SERVER, NULL))
        return EXIT_USAGE;
    if (remote.server != NULL && arguments->values[REVIEW_BY] != NULL)
        return complain(EXIT_USAGE, "--by is for files: a server knows who asks");
    walk.remote = remote.server != NULL ? &remote : NULL;
    if (lists && (walk.dir = mirror(&walk, true)) != NULL)
        return list(&walk);
    if (lists)
        return EXIT_FAILED;
    if (strcmp(verb, "accept") == 0)
        walk.decision = GUARD_REVIEW_ACCEPTED;
    else if (strcmp(verb, "refuse") == 0)
        walk.decision = GUARD_REVIEW_REFUSED;
    else if (strcmp(verb, "reset") != 0)
        return complain(EXIT_USAGE, "say `guard review [accept|refuse|reset ID...]`");
    if (!usable(&walk))
        return EXIT_USAGE;
    if (walk.remote != NULL)
        return (walk.dir = mirror(&walk, arguments->values[REVIEW_ALERT] != NULL)) != NULL
                   ? act(&walk)
                   : EXIT_FAILED;
    state_share();
    int lock = -1;
    if (!state_lock(&lock, walk.dir, "reviews"))
        return EXIT_FAILED;
    int status = act(&walk);
    close(lock);
    return status;
}

const struct command command_review = {
    .name = "review",
    .usage = "[accept|refuse|reset ID...|--alert ID]",
    .operands = "accept|refuse|reset ID...",
    .summary = "show what waits to become normal, and decide about it",
    .details = "Without operands: what enough clients did in too few epochs, with how much of "
               "support it has and what it lacks, what\n"
               "it reads like, and how often it was reported; what was decided; and what keeps "
               "being reported where nothing waits.\n"
               "accept: it is normal from the next generation on. refuse: it never is by being "
               "repeated. reset: nobody said anything.",
    .options = options,
    .run = run,
};
