/* SPDX-License-Identifier: Apache-2.0 */
/* Publishes policies of a wanted size for many services, generation after generation, as guardd
 * would, for measuring what that costs a gate. The models are made, not learned: every endpoint has
 * parameters of several kinds. */
#include "common/file.h"

#include <guard/policy.h>

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT_SIZE = 32, ENDPOINTS_MAX = 4096, PARAMETERS_MAX = 512, STRENGTH = 500 };

struct plan {
    const char *key_path;
    const char *folder;
    uint64_t services, generations, first_generation, endpoints, parameters, literals, pause_ms;
    uint8_t secret[64];
};

struct text {
    char bytes[TEXT_SIZE];
};

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static struct guard_span put(struct text *text, const char *before, uint64_t number,
                             const char *after)
{
    (void)snprintf(text->bytes, sizeof(text->bytes), "%s%" PRIu64 "%s", before, number, after);
    return span(text->bytes);
}

static void set_strengths(uint16_t strength[GUARD_RULE_COUNT])
{
    for (int i = 0; i < GUARD_RULE_COUNT; i++)
        strength[i] = STRENGTH;
}

/* A count, a word out of a set, a free text, a number of a thing by turns. */
static void make_field(struct guard_model_field *field, uint64_t *literals, uint32_t literal_count,
                       uint32_t number)
{
    enum { KINDS = 4 };
    static const struct {
        uint64_t classes;
        uint32_t types;
    } kinds[KINDS] = {
        {1u << GUARD_CLASS_DIGIT, 1u << GUARD_TYPE_INT},
        {1u << GUARD_CLASS_LOWER, 1u << GUARD_TYPE_WORD},
        {1u << GUARD_CLASS_LOWER | 1u << GUARD_CLASS_UPPER | 1u << GUARD_CLASS_DIGIT |
             1u << GUARD_CLASS_SPACE,
         1u << GUARD_TYPE_WORD | 1u << GUARD_TYPE_TEXT},
        {1u << GUARD_CLASS_LOWER | 1u << GUARD_CLASS_DIGIT, 1u << GUARD_TYPE_UUID},
    };
    field->location = GUARD_LOCATION_QUERY;
    field->parent = GUARD_NO_INDEX;
    field->values = 10000;
    field->clients = 100;
    field->epochs = 8;
    field->support = 200;
    field->trusted = true;
    field->required = number % 2 == 0;
    field->classes = kinds[number % KINDS].classes;
    field->types = kinds[number % KINDS].types;
    for (int i = 0; i < GUARD_CLASS_COUNT; i++)
        field->transitions[i] = (field->classes >> i & 1) != 0 ? field->classes : 0;
    field->length_min = 1;
    field->length_max = 40;
    field->digits_max = field->specials_max = 8;
    field->items_max = 1;
    field->closed = number % KINDS == 1;
    if (field->closed) {
        field->literals = literals;
        field->literal_count = literal_count;
    }
    set_strengths(field->strength);
}

static void make_endpoint(struct guard_model_endpoint *endpoint, const struct plan *plan,
                          uint32_t number)
{
    endpoint->method = span("GET");
    endpoint->node = number + 1;
    endpoint->exchanges = 10000;
    endpoint->clients = 100;
    endpoint->epochs = 8;
    endpoint->support = 200;
    endpoint->trusted = endpoint->ready = true;
    endpoint->first_field = number * (uint32_t)plan->parameters;
    endpoint->field_count = (uint32_t)plan->parameters;
    set_strengths(endpoint->strength);
}

/* Everything is taken once and kept until the end of the program. */
static bool make_model(struct guard_model *model, const struct plan *plan)
{
    size_t field_count = (size_t)(plan->endpoints * plan->parameters);
    struct text *paths = calloc(2 * (size_t)plan->endpoints, sizeof(*paths));
    struct text *names = calloc(field_count, sizeof(*names));
    uint64_t *literals = calloc((size_t)plan->literals + 1, sizeof(*literals));
    model->nodes = calloc((size_t)plan->endpoints + 1, sizeof(*model->nodes));
    model->endpoints = calloc((size_t)plan->endpoints, sizeof(*model->endpoints));
    model->fields = calloc(field_count, sizeof(*model->fields));
    if (paths == NULL || names == NULL || literals == NULL || model->nodes == NULL ||
        model->endpoints == NULL || model->fields == NULL)
        return false;
    for (uint64_t i = 0; i < plan->literals; i++)
        literals[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7);
    model->nodes[0] = (struct guard_model_node){.parent = GUARD_NO_INDEX, .strength = {500, 500}};
    for (uint32_t i = 0; i < plan->endpoints; i++) {
        model->nodes[i + 1] =
            (struct guard_model_node){.text = put(&paths[2 * i], "things-", i, ""),
                                      .strength = {500, 500},
                                      .exchanges = 10000};
        make_endpoint(&model->endpoints[i], plan, i);
        model->endpoints[i].template_text = put(&paths[2 * i + 1], "/things-", i, "");
    }
    for (uint32_t i = 0; i < field_count; i++) {
        make_field(&model->fields[i], literals, (uint32_t)plan->literals, i);
        model->fields[i].name = put(&names[i], "parameter-", i % plan->parameters, "");
        model->fields[i].path = model->fields[i].name;
    }
    model->node_count = (uint32_t)plan->endpoints + 1;
    model->endpoint_count = (uint32_t)plan->endpoints;
    model->field_count = (uint32_t)field_count;
    model->first_service_field = (uint32_t)field_count;
    model->exchanges = 10000 * plan->endpoints;
    model->clients = 100;
    model->epochs = 8;
    model->ready = true;
    return true;
}

static bool publish(const struct plan *plan, struct guard_model *model, uint64_t service,
                    uint64_t generation)
{
    struct text name;
    char path[4096];
    struct guard_err err = {"failed"};
    struct guard_guardian guardian;
    const struct guard_policy_cfg cfg = {
        .alloc = heap_alloc(), .generation = generation, .created_ms = clock_unix_ms()};
    uint8_t *bytes = NULL;
    size_t len = 0;
    model->service = put(&name, "bench-", service, "");
    guard_guardian_default(&guardian, model->service);
    guardian.mode = guardian.request_mode = GUARD_MODE_BLOCK;
    (void)snprintf(path, sizeof(path), "%s/%s.policy", plan->folder, name.bytes);
    bool good = guard_policy_compile(&bytes, &len, model, &guardian, &cfg, plan->secret, &err) ==
                    GUARD_OK &&
                file_replace(path, (struct guard_span){bytes, len}, 0640, false, &err) == GUARD_OK;
    if (!good)
        (void)fprintf(stderr, "guard-bench-publisher: %s: %s\n", path, err.text);
    else if (service == 0 && generation == plan->first_generation)
        (void)printf("policy %zu bytes\n", len);
    free(bytes);
    return good;
}

static int publish_all(const struct plan *plan)
{
    struct guard_model model = {.alloc = heap_alloc()};
    const struct timespec pause = {(time_t)(plan->pause_ms / 1000),
                                   (long)(plan->pause_ms % 1000) * 1000000};
    if (!make_model(&model, plan)) {
        (void)fputs("guard-bench-publisher: no memory\n", stderr);
        return 1;
    }
    for (uint64_t i = 0; i < plan->generations; i++) {
        for (uint64_t service = 0; service < plan->services; service++) {
            if (!publish(plan, &model, service, plan->first_generation + i))
                return 1;
        }
        (void)printf("generation %" PRIu64 "\n", plan->first_generation + i);
        (void)fflush(stdout);
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

static bool read_secret(struct plan *plan)
{
    uint8_t seed[GUARD_KEY_BYTES], public_key[GUARD_KEY_BYTES];
    uint8_t *text = NULL;
    size_t len = 0;
    struct guard_err err = {"is no key: 64 hexadecimal digits"};
    bool good =
        file_read(plan->key_path, 4096, &text, &len, &err) == GUARD_OK && len >= 2 * sizeof(seed);
    for (size_t i = 0; good && i < sizeof(seed); i++) {
        unsigned value = 0;
        good = sscanf((const char *)text + 2 * i, "%2x", &value) == 1;
        seed[i] = (uint8_t)value;
    }
    if (good)
        guard_keypair(public_key, plan->secret, seed);
    else
        (void)fprintf(stderr, "guard-bench-publisher: %s: %s\n", plan->key_path, err.text);
    free(text);
    return good;
}

static bool number(uint64_t *out, const char *text, uint64_t low, uint64_t high)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    *out = value;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value >= low && value <= high;
}

static bool set_option(struct plan *plan, int option)
{
    switch (option) {
    case 'k':
        plan->key_path = optarg;
        return true;
    case 'd':
        plan->folder = optarg;
        return true;
    case 's':
        return number(&plan->services, optarg, 1, 10000);
    case 'g':
        return number(&plan->generations, optarg, 1, 1000000);
    case 'f':
        return number(&plan->first_generation, optarg, 1, UINT32_MAX);
    case 'e':
        return number(&plan->endpoints, optarg, 1, ENDPOINTS_MAX);
    case 'p':
        return number(&plan->parameters, optarg, 1, PARAMETERS_MAX);
    case 'l':
        return number(&plan->literals, optarg, 1, 32);
    case 'w':
        return number(&plan->pause_ms, optarg, 0, 1000000);
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"key", required_argument, NULL, 'k'},
        {"policies", required_argument, NULL, 'd'},
        {"services", required_argument, NULL, 's'},
        {"generations", required_argument, NULL, 'g'},
        {"first-generation", required_argument, NULL, 'f'},
        {"endpoints", required_argument, NULL, 'e'},
        {"parameters", required_argument, NULL, 'p'},
        {"literals", required_argument, NULL, 'l'},
        {"pause-ms", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    struct plan plan = {.services = 1,
                        .generations = 1,
                        .first_generation = 1,
                        .endpoints = 64,
                        .parameters = 8,
                        .literals = 4};
    int option = 0;
    bool good = true;
    while (good && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        good = set_option(&plan, option);
    if (!good || optind != argc || plan.key_path == NULL || plan.folder == NULL) {
        (void)fputs("Usage: guard-bench-publisher --key FILE --policies FOLDER [--services N] "
                    "[--generations N] [--first-generation N]\n"
                    "  [--endpoints N] [--parameters N] [--literals N] [--pause-ms N]\n"
                    "Writes policies of services bench-0, bench-1... as a gate takes them.\n",
                    stderr);
        return 2;
    }
    return read_secret(&plan) ? publish_all(&plan) : 1;
}
