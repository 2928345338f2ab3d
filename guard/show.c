/* SPDX-License-Identifier: Apache-2.0 */
/* `guard show`: what was learned, as people read it: endpoints, their parameters, what is normal
 * for each. */
#include "command.h"
#include "common/file.h"
#include "common/guardian_words.h"
#include "common/model_text.h"
#include "common/number_text.h"
#include "guardian_text.h"
#include "mirror.h"
#include "service_files.h"
#include "show_json.h"
#include "state_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHOW_PILE,
    SHOW_SERVICE,
    SHOW_STATE,
    SHOW_SUPPORT,
    SHOW_GUARDIAN,
    SHOW_REVIEW,
    SHOW_FORMAT,
    SHOW_SERVER
};
enum { NAME_CAP = 2560 }; /* the longest template */

static const struct option_spec options[] = {
    {"pile", "FILE", "show what this pile teaches"},
    {"service", "NAME", "show a running service (its pile in the state directory)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"support", "N", "clients that must vouch for a thing: 1 to 4 (default 4)"},
    {"guardian", "G.yaml", "show what people say in this Guardian, too, or alone"},
    {"review", "FILE", "with what people accepted and refused (reviews/SERVICE.json)"},
    {"format", "text|json", "for people or as a JSON document (default text)"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

static const char *clean_span(char out[NAME_CAP], struct guard_span text)
{
    return clean(out, NAME_CAP, (const char *)text.ptr, text.len);
}

static void print_number(const char *indent, const struct number_view *view)
{
    char text[NUMBER_TEXT_MAX];
    if (!number_text_tells(view))
        return;
    number_text(view, terminal_blocks(), text);
    printf("%s%s\n", indent, text);
}

static void print_numbers(const char *indent, const struct guard_model_endpoint *endpoint)
{
    for (int i = GUARD_NUMBER_BODY; i < GUARD_NUMBER_COUNT; i++) {
        struct number_view view;
        if (number_of_endpoint(&view, endpoint, endpoint, (enum guard_number)i))
            print_number(indent, &view);
    }
}

static void print_field(const struct guard_model_field *field)
{
    char text[MODEL_TEXT_MAX];
    char name[NAME_CAP];
    model_field_text(field, text);
    printf("    %-9s %-28s %s\n", guard_location_name(field->location),
           clean_span(name, field->path), text);
    for (int i = 0; i < GUARD_FIELD_NUMBERS; i++) {
        struct number_view view;
        if (number_of_field(&view, field, field, (enum guard_number)i))
            print_number("              ", &view);
    }
}

/* Beside what the endpoint lacks. */
static void print_missing(const char *part, const struct guard_model_readiness *readiness,
                          struct guard_span endpoint_lacks)
{
    bool same = readiness->lacks.len == endpoint_lacks.len &&
                memcmp(readiness->lacks.ptr, endpoint_lacks.ptr, endpoint_lacks.len) == 0;
    if (!readiness->ready && !same)
        printf("  of %s missing: %.*s\n", part, (int)readiness->lacks.len,
               (const char *)readiness->lacks.ptr);
}

static void print_endpoint(const struct guard_model *model,
                           const struct guard_model_endpoint *endpoint)
{
    char name[NAME_CAP];
    printf("\n%s", clean_span(name, endpoint->method));
    printf(" %s\n", clean_span(name, endpoint->template_text));
    printf("  %" PRIu64 " exchanges, %" PRIu32 " clients, %" PRIu32 " epochs: %s%.*s\n",
           endpoint->exchanges, endpoint->clients, endpoint->epochs,
           endpoint->ready ? "ready" : "learning, ", endpoint->ready ? 0 : (int)endpoint->lacks.len,
           (const char *)endpoint->lacks.ptr);
    print_missing("responses", &endpoint->response, endpoint->lacks);
    print_missing("time", &endpoint->time, endpoint->lacks);
    for (uint32_t i = 0; i < endpoint->media_count; i++)
        printf("  content type %s\n", clean_span(name, endpoint->media_types[i]));
    if (endpoint->body_seen)
        printf("  body up to %" PRIu32 " bytes\n", endpoint->body_max);
    print_numbers("    ", endpoint);
    for (uint32_t i = 0; i < endpoint->field_count; i++)
        print_field(&model->fields[endpoint->first_field + i]);
}

/* What an endpoint, or the service where none is known, answers with. */
static void print_answers(const struct guard_model *model, uint32_t of)
{
    char name[NAME_CAP];
    for (uint32_t i = 0; i < model->answer_count; i++) {
        const struct guard_model_endpoint *answer = &model->endpoints[model->endpoint_count + i];
        if (answer->answer_of != of)
            continue;
        printf("  response %" PRIu32 "xx\n", answer->status);
        for (uint32_t k = 0; k < answer->media_count; k++)
            printf("    content type %s\n", clean_span(name, answer->media_types[k]));
        if (answer->body_seen)
            printf("    body up to %" PRIu32 " bytes\n", answer->body_max);
        print_numbers("      ", answer);
        for (int leak = 0; leak < GUARD_LEAK_COUNT; leak++) {
            if ((answer->leaks >> leak & 1) != 0)
                printf("    shows a %s\n", guard_leak_name((enum guard_leak)leak));
        }
        for (uint32_t k = 0; k < answer->field_count; k++)
            print_field(&model->fields[answer->first_field + k]);
    }
}

static void print_model(const struct guard_model *model)
{
    char name[NAME_CAP];
    printf("%s: %" PRIu64 " exchanges, %" PRIu32 " clients, %" PRIu32 " epochs, %s\n",
           clean_span(name, model->service), model->exchanges, model->clients, model->epochs,
           model->ready ? "ready" : "learning");
    if (model->anonymous == model->exchanges)
        printf("no exchange names a client: no poisoning claim\n");
    for (uint32_t i = 0; i < model->endpoint_count; i++) {
        print_endpoint(model, &model->endpoints[i]);
        print_answers(model, i);
    }
    if (model->service_field_count > 0)
        printf("\nheaders and cookies\n");
    for (uint32_t i = 0; i < model->service_field_count; i++)
        print_field(&model->fields[model->first_service_field + i]);
    if (model->answer_count > 0)
        printf("\nwhatever is asked\n");
    print_answers(model, GUARD_NO_INDEX);
}

/* The pile of a service that runs; NULL after a message. */
static const char *pile_of(char path[STATE_PATH_MAX], const struct arguments *arguments,
                           int *status)
{
    struct remote remote;
    const char *service = arguments->values[SHOW_SERVICE];
    struct guard_span name = {(const uint8_t *)service, strlen(service)};
    *status = EXIT_USAGE;
    if (!state_service_valid(name)) {
        complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
        return NULL;
    }
    if (!remote_open(&remote, arguments, SHOW_STATE, SHOW_SERVER, NULL))
        return NULL;
    *status = EXIT_FAILED;
    const char *dir =
        mirror_or_state(&remote, arguments->values[SHOW_STATE], MIRROR_PILE, service, NULL);
    if (dir == NULL)
        return NULL;
    if (state_path(path, dir, "piles", name, ".pile") != GUARD_OK) {
        complain(0, "%s: the path is too long", dir);
        return NULL;
    }
    return path;
}

static int show_guardian(const char *path)
{
    return path == NULL || guardian_text_print(path) ? EXIT_GOOD : EXIT_FAILED;
}

static int run(const struct arguments *arguments)
{
    struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    char path[STATE_PATH_MAX];
    const char *file = arguments->values[SHOW_PILE];
    const char *service = arguments->values[SHOW_SERVICE];
    const char *support = arguments->values[SHOW_SUPPORT];
    const char *guardian = arguments->values[SHOW_GUARDIAN];
    const char *format = arguments->values[SHOW_FORMAT];
    bool json = format != NULL && strcmp(format, "json") == 0;
    if (format != NULL && !json && strcmp(format, "text") != 0)
        return complain(EXIT_USAGE, "--format is text or json");
    if (json && guardian != NULL)
        return complain(EXIT_USAGE,
                        "a Guardian is a document already: --format json is for what was learned");
    if (file == NULL && service == NULL && guardian != NULL && arguments->count == 0)
        return show_guardian(guardian);
    if ((file == NULL) == (service == NULL) || arguments->count != 0)
        return complain(EXIT_USAGE, "say --pile FILE, --service NAME or --guardian G.yaml");
    if (support != NULL && (strlen(support) != 1 || support[0] < '1' || support[0] > '4'))
        return complain(EXIT_USAGE, "--support must be 1, 2, 3 or 4");
    if (file == NULL) {
        int failed;
        file = pile_of(path, arguments, &failed);
        if (file == NULL)
            return failed;
    }
    uint32_t clients = support != NULL ? (uint32_t)(support[0] - '0') : 4;
    struct guard_pile *pile = pile_open(file, &cfg, NULL);
    struct guard_model *model =
        pile != NULL ? pile_model_by(pile, clients, arguments->values[SHOW_REVIEW]) : NULL;
    int status = model != NULL ? EXIT_GOOD : EXIT_FAILED;
    if (model != NULL && json)
        status = show_json(model, clients) ? EXIT_GOOD : EXIT_FAILED;
    else if (model != NULL)
        print_model(model);
    guard_model_free(model);
    guard_pile_free(pile);
    if (status == EXIT_GOOD && guardian != NULL) {
        putchar('\n');
        status = show_guardian(guardian);
    }
    return status;
}

const struct command command_show = {
    .name = "show",
    .usage = "",
    .summary = "show what was learned of a service, and what people say of it",
    .details =
        "For each parameter: its types, characters, lengths, in how many values from how "
        "many clients. What is seen but not yet\n"
        "vouched for by enough clients is marked pending. Below it each number is drawn: a "
        "column is a bucket of exchanges, a bar the\n"
        "limit, a blank a gap; the bounds of buckets are at most 25 % too high. --format json "
        "has them all.",
    .options = options,
    .run = run,
};
