/* SPDX-License-Identifier: Apache-2.0 */
/* Learning and judging the files of a set. */
#include "eval_run.h"

#include "command.h"
#include "common/file.h"
#include "eval_cells.h"
#include "eval_key.h"
#include "eval_modsecurity.h"
#include "eval_own_class.h"
#include "service_files.h"

#include <guard/crypto.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SCRATCH_MAX = 256 << 20, CLIENT_SEEN = 1u << 31 };

const char *eval_column_name(enum eval_column column)
{
    static const char *const names[] = {
        "novelty",      "+ likeness", "+ likeness, own class left out",
        "+ signatures", "min/max",    "modsecurity"};
    return names[column];
}

bool eval_column_built(enum eval_column column)
{
    return column == EVAL_LIKENESS || column == EVAL_LEFT_OUT ? judge_has_likeness()
           : column == EVAL_SIGNATURES                        ? judge_has_signatures()
                                                              : true;
}

uint64_t eval_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double eval_headline(const struct eval_settings *settings)
{
    struct guard_guardian guardian;
    guard_guardian_default(&guardian, GUARD_SPAN_LITERAL("x"));
    for (int i = 0; i < settings->alpha_count; i++) {
        if (settings->alphas[i] == guardian.false_alarm_budget)
            return settings->alphas[i];
    }
    return settings->alphas[0];
}

static void add_detector(struct eval_run *run, enum eval_column column, double alpha)
{
    if (run->detector_count < EVAL_DETECTORS_MAX)
        run->detectors[run->detector_count++] = (struct eval_detector){column, alpha};
}

static bool is_asked(const struct eval_settings *settings, enum eval_column column,
                     enum eval_column last)
{
    if (!eval_column_built(column))
        return false;
    if (column == EVAL_LEFT_OUT)
        return settings->left_out;
    return column == last ||
           (column < last && !settings->one_column && settings->likeness_without == 0);
}

static void list_detectors(struct eval_run *run)
{
    const struct eval_settings *settings = run->settings;
    enum eval_column last = EVAL_NOVELTY;
    for (enum eval_column column = EVAL_LIKENESS; column <= EVAL_SIGNATURES; column++)
        last = eval_column_built(column) && column != EVAL_LEFT_OUT ? column : last;
    last = settings->likeness_without != 0 ? EVAL_LIKENESS : last;
    for (enum eval_column column = EVAL_NOVELTY; column <= EVAL_SIGNATURES; column++) {
        for (int i = 0; i < settings->alpha_count; i++) {
            if (is_asked(settings, column, last))
                add_detector(run, column, settings->alphas[i]);
        }
    }
    run->shipped = eval_run_detector(run, last, eval_headline(settings));
    if (settings->baseline)
        add_detector(run, EVAL_MINMAX, 0);
    if (settings->modsecurity != NULL)
        add_detector(run, EVAL_MODSECURITY, 0);
}

int eval_run_detector(const struct eval_run *run, enum eval_column column, double alpha)
{
    for (int i = 0; i < run->detector_count; i++) {
        if (run->detectors[i].column == column && (alpha == 0 || run->detectors[i].alpha == alpha))
            return i;
    }
    return -1;
}

bool eval_run_open(struct eval_run *run, const struct eval_settings *settings,
                   const struct eval_set *set)
{
    struct guard_alloc heap = heap_alloc();
    *run = (struct eval_run){.settings = settings, .set = set};
    guard_arena_init(&run->scratch, &heap, SCRATCH_MAX);
    list_detectors(run);
    run->cells = calloc(EVAL_CELLS_MAX, sizeof(*run->cells));
    if (run->cells == NULL)
        return complain(0, "no memory") != 0;
    if (!traffic_room_open(&run->room))
        return false;
    run->room.likeness_without = settings->likeness_without;
    return true;
}

static struct eval_service *find_service(const struct eval_run *run, struct guard_span name)
{
    for (int i = 0; i < run->service_count; i++) {
        if (eval_span_same(run->services[i]->span, name))
            return run->services[i];
    }
    return NULL;
}

struct eval_service *eval_run_service(struct eval_run *run, struct guard_span name)
{
    struct guard_err err = {.text = "no memory, or too many services"};
    struct eval_service *service = find_service(run, name);
    if (service != NULL)
        return service;
    struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    if (run->service_count == EVAL_SERVICES_MAX || name.len == 0 ||
        name.len >= sizeof(service->name) || (service = calloc(1, sizeof(*service))) == NULL) {
        complain(0, "%s: \"%.*s\": no more than %d services with names of 1 to 128 bytes",
                 run->set->name, (int)(name.len < 128 ? name.len : 128), (const char *)name.ptr,
                 EVAL_SERVICES_MAX);
        return NULL;
    }
    run->services[run->service_count++] = service;
    memcpy(service->name, name.ptr, name.len);
    service->span = (struct guard_span){(const uint8_t *)service->name, name.len};
    service->minmax = run->settings->baseline ? eval_minmax_new() : NULL;
    cfg.service = service->span;
    if (!service_key(NULL, service->span, service->key))
        return NULL;
    memcpy(cfg.key, service->key, sizeof(cfg.key));
    if (guard_pile_new(&service->pile, &cfg, &err) != GUARD_OK ||
        (run->settings->baseline && service->minmax == NULL)) {
        complain(0, "%s", err.text);
        return NULL;
    }
    return service;
}

static struct guard_span service_name(const struct guard_exchange *exchange)
{
    return exchange->service.len > 0 ? exchange->service : GUARD_SPAN_LITERAL("default");
}

static bool wrong(const struct traffic_place *place, const char *text)
{
    return complain(0, "%s:%" PRIu64 ": %s", place->path, place->line, text) != 0;
}

/* Of files whose labels tell what is learned: is it this one's turn? */
static bool is_due(struct eval_run *run, const struct traffic_place *place, bool learn)
{
    struct eval_label label;
    if (eval_set_role(run->set, learn, place->file) != EVAL_LABELLED)
        return true;
    return place->text.len > 0 && eval_label_read(&label, place->text, &run->scratch) &&
           eval_span_is(label.split, "train") == learn;
}

static bool observe(struct eval_run *run, struct eval_service *service,
                    const struct guard_exchange *exchange, const struct traffic_place *place)
{
    struct guard_err err = {.text = ""};
    bool with_client = false;
    if (service->named <= place->file) {
        service->named = place->file + 1;
        if (!traffic_producer(place->path, service->key, &service->producer))
            return false;
    }
    struct guard_source source = {service->producer, 1, place->ordinal};
    uint64_t start = eval_nanoseconds();
    enum guard_rc rc = traffic_learn(&run->room, service->pile, service->span, exchange, &source,
                                     false, &with_client, &err);
    run->learn_nanoseconds += eval_nanoseconds() - start;
    if (rc == GUARD_E_REPLAY)
        service->unlearned++;
    else if (rc != GUARD_OK)
        return wrong(place, err.text);
    service->trained += rc == GUARD_OK;
    service->with_client += with_client;
    service->timed += exchange->time_ms != 0;
    return true;
}

/* The service of an exchange that is to be learned. *service is NULL for one that isn't. */
static bool training_service(struct eval_service **service, struct eval_run *run,
                             const struct guard_exchange *exchange,
                             const struct traffic_place *place)
{
    *service = NULL;
    guard_arena_reset(&run->scratch);
    if (!is_due(run, place, true))
        return true;
    *service = eval_run_service(run, service_name(exchange));
    return *service != NULL || wrong(place, "can't be learned");
}

static bool take_training(void *ctx, const struct guard_exchange *exchange,
                          const struct traffic_place *place)
{
    struct eval_run *run = ctx;
    struct eval_service *service;
    if (!training_service(&service, run, exchange, place))
        return false;
    if (service == NULL)
        return true;
    if (run->settings->learn_max > 0 &&
        service->passed++ + run->settings->learn_max < service->offered)
        return true;
    uint32_t *seen =
        eval_table_at(&run->seen, eval_request_key(exchange, service->span, &run->scratch), NULL);
    if (seen != NULL)
        *seen = 1;
    if (service->minmax != NULL)
        eval_minmax_learn(service->minmax, exchange, &run->scratch);
    struct guard_exchange changed = *exchange;
    if (run->changing_fn != NULL)
        run->changing_fn(run->ctx, run, service, &changed);
    if (run->learning_fn != NULL && !run->learning_fn(run->ctx, run, service, &changed))
        return false;
    return observe(run, service, &changed, place);
}

static bool read_files(struct eval_run *run, bool learn, const char *label,
                       bool (*take)(void *ctx, const struct guard_exchange *exchange,
                                    const struct traffic_place *place))
{
    struct traffic traffic = {.label = label};
    traffic.paths = eval_set_paths(run->set, learn, &traffic.count);
    if (traffic.paths == NULL)
        return false;
    bool good = traffic_read(&traffic, take, run);
    run->unreadable += traffic.unreadable;
    free(traffic.paths);
    return good;
}

static bool count_training(void *ctx, const struct guard_exchange *exchange,
                           const struct traffic_place *place)
{
    struct eval_service *service;
    if (!training_service(&service, ctx, exchange, place))
        return false;
    if (service != NULL)
        service->offered++;
    return true;
}

bool eval_run_learn(struct eval_run *run, const char *label)
{
    if (run->settings->learn_max > 0) {
        if (!eval_set_rereadable(run->set))
            return complain(0, "%s: the newest can only be learned of files", run->set->name) != 0;
        if (!read_files(run, true, label, count_training))
            return false;
        run->unreadable = 0;
    }
    if (!read_files(run, true, label, take_training))
        return false;
    if (run->service_count == 0)
        return complain(0, "%s: the training files hold no exchange", run->set->name) != 0;
    return true;
}

static void drop_policies(struct eval_service *service)
{
    for (int i = 0; i < EVAL_DETECTORS_MAX; i++) {
        if (service->policies[i] != NULL)
            guard_policy_unref(service->policies[i]);
        free(service->bytes[i]);
        service->policies[i] = NULL;
        service->bytes[i] = NULL;
    }
}

static bool compile(struct eval_run *run, struct eval_service *service,
                    const struct guard_model *model)
{
    struct guard_guardian guardian;
    guard_guardian_default(&guardian, service->span);
    judge_guardian(&guardian);
    for (int i = 0; i < run->detector_count; i++) {
        const struct eval_detector *detector = &run->detectors[i];
        if (detector->column > EVAL_SIGNATURES || detector->column == EVAL_LEFT_OUT)
            continue;
        struct judge_options options = {.alpha = detector->alpha,
                                        .likeness = detector->column >= EVAL_LIKENESS,
                                        .signatures = detector->column >= EVAL_SIGNATURES};
        size_t len = 0;
        service->policies[i] = judge_policy(&guardian, model, &options, &service->bytes[i], &len);
        if (service->policies[i] == NULL)
            return false;
        service->policy_bytes = len;
    }
    return true;
}

bool eval_service_compile(struct eval_run *run, struct eval_service *service)
{
    struct guard_model *model = pile_model(service->pile, run->settings->support);
    if (model == NULL)
        return false;
    drop_policies(service);
    service->ready = model->ready;
    service->endpoints = model->endpoint_count;
    service->elements = guard_model_elements(model);
    bool good = compile(run, service, model);
    guard_model_free(model);
    return good;
}

bool eval_run_compile(struct eval_run *run)
{
    for (int i = 0; i < run->service_count; i++) {
        struct eval_service *service = run->services[i];
        struct guard_err err;
        uint8_t *bytes = NULL;
        if (!eval_service_compile(run, service))
            return false;
        if (guard_pile_encode(service->pile, &bytes, &service->pile_bytes, &err) != GUARD_OK)
            return complain(0, "%s: %s", service->name, err.text) != 0;
        free(bytes);
    }
    return true;
}

static struct eval_said said_of(const struct guard_verdict *verdict)
{
    struct eval_said said = {.block = verdict->decision == GUARD_BLOCK};
    if (verdict->finding_count > 0) {
        const char *location = guard_location_name(verdict->findings[0].location);
        said.placed = true;
        said.location = (struct guard_span){(const uint8_t *)location, strlen(location)};
        said.name = verdict->findings[0].name;
    }
    return said;
}

struct judging {
    struct eval_run *run;
    struct eval_service *service;
    const struct guard_exchange *exchange;
    const struct traffic_place *place;
    struct eval_label label;
    bool fresh;
};

static bool ask(struct judging *judging, int index, struct eval_said *said)
{
    struct eval_run *run = judging->run;
    struct eval_service *service = judging->service;
    struct guard_txn *txn = NULL;
    if (run->detectors[index].column == EVAL_MINMAX) {
        eval_minmax_judge(service->minmax, judging->exchange, &run->scratch, said);
        return true;
    }
    if (run->detectors[index].column == EVAL_MODSECURITY) {
        *said = (struct eval_said){.block = false};
        return eval_modsecurity_judge(run->settings->modsecurity, judging->exchange, &said->block);
    }
    uint64_t start = eval_nanoseconds();
    const struct guard_verdict *verdict = traffic_judge(
        &run->room, service->policies[index], service->span, judging->exchange, false, &txn);
    if (index == run->shipped)
        run->nanoseconds += eval_nanoseconds() - start;
    if (verdict == NULL)
        return wrong(judging->place, "no memory");
    *said = said_of(verdict);
    if (index == run->shipped && run->judged_fn != NULL)
        run->judged_fn(run->ctx, judging->exchange, judging->place->text, &judging->label, service,
                       verdict);
    return true;
}

/* Blocked clients count once, whatever they sent. */
static void count_client(struct judging *judging, uint32_t blocked)
{
    struct eval_run *run = judging->run;
    struct guard_span client = judging->exchange->client;
    if (judging->label.attack || client.len == 0)
        return;
    uint64_t key = eval_hash(eval_hash(1, judging->service->span), client);
    uint32_t *bits = eval_table_at(&run->clients, key, NULL);
    if (bits == NULL)
        return;
    for (int i = 0; i < run->detector_count; i++) {
        struct eval_share *share = &judging->service->tallies[i].clients;
        if (run->detectors[i].column == EVAL_LEFT_OUT)
            continue;
        uint32_t bit = 1u << i;
        share->of += (*bits & CLIENT_SEEN) == 0;
        share->hits += (blocked & bit & ~*bits) != 0;
    }
    *bits |= blocked | CLIENT_SEEN;
}

static bool judge(struct judging *judging)
{
    struct eval_run *run = judging->run;
    uint32_t blocked = 0;
    for (int i = 0; i < run->detector_count; i++) {
        struct eval_said said;
        if (run->detectors[i].column == EVAL_LEFT_OUT)
            continue;
        if (!ask(judging, i, &said))
            return false;
        blocked |= (uint32_t)said.block << i;
        eval_tally_add(&judging->service->tallies[i], &judging->label, &said, judging->fresh);
    }
    count_client(judging, blocked);
    if (judging->label.attack)
        eval_cells_add(run, &judging->label, blocked);
    run->judged++;
    return true;
}

static bool find_label(struct eval_run *run, const struct traffic_place *place,
                       struct eval_label *label)
{
    enum eval_role role = eval_set_role(run->set, false, place->file);
    if (place->text.len == 0 || !eval_label_read(label, place->text, &run->scratch))
        *label = (struct eval_label){.known = false};
    if (!label->known && role != EVAL_LABELLED) {
        label->known = true;
        label->attack = role == EVAL_ATTACKS;
    }
    return label->known;
}

/* Without a class the attacks of that class count. */
static bool is_looked_at(const struct eval_settings *settings, const struct eval_label *label)
{
    uint32_t without = settings->likeness_without;
    return without == 0 || (without >> eval_own_class(label->class_name) & 1) != 0;
}

static bool take_test(void *ctx, const struct guard_exchange *exchange,
                      const struct traffic_place *place)
{
    struct eval_run *run = ctx;
    struct judging judging = {.run = run, .exchange = exchange, .place = place};
    guard_arena_reset(&run->scratch);
    if (!is_due(run, place, false))
        return true;
    if (!find_label(run, place, &judging.label)) {
        run->unlabelled++;
        return true;
    }
    if (judging.label.attack && !is_looked_at(run->settings, &judging.label))
        return true;
    judging.service = find_service(run, service_name(exchange));
    if (judging.service == NULL) {
        run->unknown_service++;
        return true;
    }
    if (!judging.label.attack && !eval_span_is(judging.label.class_name, "lookalike")) {
        uint64_t key = eval_request_key(exchange, judging.service->span, &run->scratch);
        uint32_t *seen = eval_table_at(&run->seen, key, NULL);
        if (seen == NULL)
            return wrong(place, "no memory");
        judging.fresh = *seen == 0;
        *seen = 1;
    }
    eval_probe_add(&run->probe, exchange, judging.service->span, &judging.label);
    return judge(&judging);
}

bool eval_run_judge(struct eval_run *run, const char *label)
{
    return read_files(run, false, label, take_test);
}

bool eval_run(struct eval_run *run, const struct eval_settings *settings,
              const struct eval_set *set, const char *label)
{
    return eval_run_open(run, settings, set) && eval_run_learn(run, label) &&
           eval_run_compile(run) && eval_run_judge(run, label);
}

void eval_run_close(struct eval_run *run)
{
    for (int i = 0; i < run->service_count; i++) {
        struct eval_service *service = run->services[i];
        drop_policies(service);
        guard_pile_free(service->pile);
        eval_minmax_free(service->minmax);
        free(service);
    }
    run->service_count = 0;
    eval_table_free(&run->seen);
    eval_table_free(&run->clients);
    eval_probe_free(&run->probe);
    guard_arena_reset(&run->scratch);
    free(run->cells);
    run->cells = NULL;
    traffic_room_close(&run->room);
}

struct eval_tally eval_run_pool(const struct eval_run *run, int detector)
{
    struct eval_tally sum = {.flagged = 0};
    for (int i = 0; i < run->service_count; i++)
        eval_tally_sum(&sum, &run->services[i]->tallies[detector]);
    return sum;
}
