/* SPDX-License-Identifier: Apache-2.0 */
/* `guard learn`: traffic into a pile, by the same steps as the gate and guardd: transaction,
 * record, observe. */
#include "command.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/state.h"
#include "service_files.h"
#include "traffic_steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LEARN_SERVICE,
    LEARN_PILE,
    LEARN_GUARDIAN,
    LEARN_KEY,
    LEARN_SUPPORT,
    LEARN_HOST,
    LEARN_FORMAT,
    LEARN_AS,
    LEARN_OUTBOUND,
    LEARN_REVIEW
};

static const struct option_spec options[] = {
    {"service", "NAME", "the service; without it the one that the traffic names"},
    {"pile", "OUT.pile", "write what was learned; an existing pile is learned into"},
    {"guardian", "OUT.yaml", "write a Guardian that names the pile"},
    {"key", "FILE", "the service's secret key, 64 hexadecimal digits"},
    {"support", "N",
     "clients that must vouch for a thing before it is trusted: 1 to 4 (default 4)"},
    {"host", "NAME", "only exchanges with this host (HAR files hold those of other services, too)"},
    {"log-format", "FORMAT",
     "access logs: a format in nginx's log_format syntax, or common, combined, main, "
     "vhost_combined"},
    {"as", "P:I:S",
     "record as producer P, incarnation I, from sequence S on (hexadecimal:decimal:decimal)"},
    {"outbound", NULL, "the traffic is calls that the service makes"},
    {"review", "FILE", "with what people accepted and refused (reviews/SERVICE.json)"},
    {NULL, NULL, NULL},
};

struct learning {
    struct guard_pile *pile;
    struct guard_pile_cfg pile_cfg;
    struct guard_span service;
    char service_text[STATE_SERVICE_MAX + 1];
    const char *key_path;
    const char *pile_path;
    struct guard_source source;
    bool source_given;
    bool outbound;
    uint64_t producer; /* of the file that is being read */
    int named;         /* files that had their turn, that one included */
    uint64_t foreign;  /* exchanges of other services */
    uint64_t replayed; /* held already */
    uint64_t learned;
    uint64_t with_client;
    struct traffic_room room;
};

static bool set_service(struct learning *learning, struct guard_span name)
{
    if (!state_service_valid(name))
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    memcpy(learning->service_text, name.ptr, name.len);
    learning->service = (struct guard_span){(const uint8_t *)learning->service_text, name.len};
    learning->pile_cfg.service = learning->service;
    if (!service_key(learning->key_path, learning->service, learning->pile_cfg.key))
        return false;
    struct guard_err err;
    FILE *existing = learning->pile_path != NULL ? fopen(learning->pile_path, "rb") : NULL;
    if (existing != NULL) {
        fclose(existing);
        learning->pile = pile_open(learning->pile_path, &learning->pile_cfg, NULL);
        return learning->pile != NULL;
    }
    if (guard_pile_new(&learning->pile, &learning->pile_cfg, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return true;
}

/* Lines without a service belong to the one that is being learned. */
static bool is_ours(const struct learning *learning, const struct guard_exchange *exchange)
{
    return exchange->service.len == 0 ||
           (exchange->service.len == learning->service.len &&
            memcmp(exchange->service.ptr, learning->service.ptr, learning->service.len) == 0);
}

static bool name_producer(struct learning *learning, const struct traffic_place *place)
{
    if (learning->named > place->file)
        return true;
    learning->named = place->file + 1;
    return traffic_producer(place->path, learning->pile_cfg.key, &learning->producer);
}

static bool take(void *ctx, const struct guard_exchange *exchange,
                 const struct traffic_place *place)
{
    struct learning *learning = ctx;
    struct guard_err err = {.text = ""};
    struct guard_span name =
        exchange->service.len > 0 ? exchange->service : GUARD_SPAN_LITERAL("default");
    if (learning->pile == NULL && !set_service(learning, name))
        return false;
    if (!is_ours(learning, exchange)) {
        learning->foreign++;
        return true;
    }
    struct guard_source source = learning->source;
    if (learning->source_given) {
        learning->source.sequence++;
    } else {
        if (!name_producer(learning, place))
            return false;
        source.producer = learning->producer;
        source.sequence = place->ordinal;
    }
    bool with_client = false;
    enum guard_rc rc = traffic_learn(&learning->room, learning->pile, learning->service, exchange,
                                     &source, learning->outbound, &with_client, &err);
    learning->with_client += with_client;
    if (rc == GUARD_E_REPLAY)
        learning->replayed++;
    else if (rc != GUARD_OK)
        return complain(0, "%s:%" PRIu64 ": can't be learned: %s", place->path, place->line,
                        err.text) != 0;
    else
        learning->learned++;
    return true;
}

static bool parse_source(const char *text, struct guard_source *out)
{
    char rest;
    return sscanf(text, "%" SCNx64 ":%" SCNu64 ":%" SCNu64 "%c", &out->producer, &out->incarnation,
                  &out->sequence, &rest) == 3 &&
           out->sequence > 0;
}

static bool prepare(struct learning *learning, const struct arguments *arguments)
{
    learning->pile_cfg.alloc = heap_alloc();
    learning->key_path = arguments->values[LEARN_KEY];
    learning->pile_path = arguments->values[LEARN_PILE];
    learning->outbound = arguments->values[LEARN_OUTBOUND] != NULL;
    if (!traffic_room_open(&learning->room))
        return false;
    if (arguments->values[LEARN_AS] != NULL) {
        learning->source_given = parse_source(arguments->values[LEARN_AS], &learning->source);
        if (!learning->source_given)
            return complain(0, "--as must be PRODUCER:INCARNATION:SEQUENCE") != 0;
    }
    const char *service = arguments->values[LEARN_SERVICE];
    return service == NULL ||
           set_service(learning, (struct guard_span){(const uint8_t *)service, strlen(service)});
}

static bool write_guardian(const struct learning *learning, const char *path, const uint8_t *digest,
                           uint32_t support)
{
    struct guard_guardian guardian;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_span text;
    struct guard_err err;
    guard_guardian_default(&guardian, learning->service);
    guardian.support = support;
    if (digest != NULL) {
        memcpy(guardian.pile_digest, digest, GUARD_DIGEST_BYTES);
        guardian.pile_named = true;
    }
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    bool good = guardian_write(&guardian, &arena, &text, &err) == GUARD_OK &&
                file_replace(path, text, 0640, true, &err) == GUARD_OK;
    guard_arena_reset(&arena);
    return good || complain(0, "%s", err.text) != 0;
}

static void print_summary(const struct learning *learning, const struct traffic *traffic,
                          const struct guard_model *model, double seconds)
{
    struct guard_pile_stats stats;
    guard_pile_stats(learning->pile, &stats);
    printf("service      %.*s\n", (int)learning->service.len, (const char *)learning->service.ptr);
    printf("exchanges    %" PRIu64 " learned", learning->learned);
    if (learning->replayed > 0)
        printf(", %" PRIu64 " held already", learning->replayed);
    if (learning->foreign > 0)
        printf(", %" PRIu64 " of other services left out", learning->foreign);
    printf(", %" PRIu64 " unreadable lines%s\n", traffic->unreadable,
           traffic->of_kind[TRAFFIC_HAR] > 0 ? " or entries" : "");
    traffic_notes(traffic, stdout, "note         ");
    printf("clients      %" PRIu64 "%s\n", stats.clients,
           learning->with_client == 0
               ? " (no exchange names a client: each counts as half a client; no poisoning claim)"
               : "");
    printf("epochs       %" PRIu32 "%s\n", stats.epochs,
           stats.overflowed ? "  (tables overflowed: a sample is kept)" : "");
    printf("endpoints    %" PRIu32 " known, %s\n", model->endpoint_count,
           model->ready ? "ready" : "still learning (guard show tells what is missing)");
    printf("speed        %.1f MB/s, %.0f exchanges/s\n", (double)traffic->bytes / 1e6 / seconds,
           (double)traffic->exchanges / seconds);
}

static int finish(struct learning *learning, const struct traffic *traffic,
                  const struct arguments *arguments, uint32_t support, double seconds)
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    const char *guardian_path = arguments->values[LEARN_GUARDIAN];
    if (learning->pile == NULL)
        return complain(EXIT_FAILED, "the traffic holds no exchange");
    if (learning->learned + learning->replayed == 0)
        return complain(EXIT_FAILED, "none of %" PRIu64 " exchanges is of service \"%.*s\"",
                        traffic->exchanges, (int)learning->service.len,
                        (const char *)learning->service.ptr);
    bool saved = learning->pile_path != NULL;
    if (saved && !pile_save(learning->pile, learning->pile_path, digest))
        return EXIT_FAILED;
    if (guardian_path != NULL &&
        !write_guardian(learning, guardian_path, saved ? digest : NULL, support))
        return EXIT_FAILED;
    struct guard_model *model =
        pile_model_by(learning->pile, support, arguments->values[LEARN_REVIEW]);
    if (model == NULL)
        return EXIT_FAILED;
    print_summary(learning, traffic, model, seconds);
    guard_model_free(model);
    return EXIT_GOOD;
}

static double monotonic_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run(const struct arguments *arguments)
{
    struct learning learning = {.source = {.incarnation = 1, .sequence = 1}};
    struct traffic traffic = {.paths = arguments->operands,
                              .count = arguments->count,
                              .label = "learning",
                              .log_format = arguments->values[LEARN_FORMAT],
                              .host = arguments->values[LEARN_HOST]};
    uint32_t support = 4;
    if (arguments->count == 0)
        return complain(EXIT_USAGE, "no traffic file given; \"-\" is standard input");
    if (arguments->values[LEARN_SUPPORT] != NULL) {
        const char *text = arguments->values[LEARN_SUPPORT];
        if (strlen(text) != 1 || text[0] < '1' || text[0] > '4')
            return complain(EXIT_USAGE, "--support must be 1, 2, 3 or 4");
        support = (uint32_t)(text[0] - '0');
    }
    if (!traffic_format_good(traffic.log_format))
        return EXIT_USAGE;
    double start = monotonic_seconds();
    int status = EXIT_FAILED;
    if (prepare(&learning, arguments) && traffic_read(&traffic, take, &learning))
        status = finish(&learning, &traffic, arguments, support, monotonic_seconds() - start);
    traffic_room_close(&learning.room);
    guard_pile_free(learning.pile);
    return status;
}

const struct command command_learn = {
    .name = "learn",
    .usage = "TRAFFIC...",
    .operands = "FILE...",
    .summary = "learn what is normal from recorded traffic",
    .details = "TRAFFIC is exchange JSONL, a HAR 1.2 document or an access log of nginx or Apache, "
               "plain or gzip; \"-\" is standard\n"
               "input. Which it is is told by what it holds. Labels are never read. Learning the "
               "same file twice changes nothing.\n"
               "Piles of several files can be made apart and merged with guard pile merge. Access "
               "logs hold no bodies and few\n"
               "headers: bodies and headers are then not judged.",
    .options = options,
    .run = run,
};
