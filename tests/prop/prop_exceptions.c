/* SPDX-License-Identifier: Apache-2.0 */
/* Random exceptions and requests against a second opinion on what is covered: exceptions lower
 * nothing but blocks to alerts, only where they are meant, and never what stands beside. */
#include "support/naive_matcher.h"
#include "support/random.h"
#include "unit/policy/world.h"

#include <fnmatch.h>

enum { POLICIES = 400, REQUESTS = 24, EXCEPTIONS = 3, NOW = 1000000, TEXT = 192 };

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define ONE_OF(random, list) ((list)[test_random_below((random), COUNT(list))])

static const char *const endpoints[] = {"/search", "/users/{}", "/{}", "/{*}", "/files/{}"};
static const char *const methods[] = {"GET", "POST", "DELETE"};
static const char *const names[] = {"username", "user*", "id", "x*", "*", "seg*", "x-forwarded-*"};
static const char *const patch_ids[] = {"soft", "hard", "other"};
static const enum guard_location places[] = {GUARD_LOCATION_QUERY, GUARD_LOCATION_HEADER,
                                             GUARD_LOCATION_PATH};
static const enum guard_rule rules[] = {GUARD_RULE_LIKENESS, GUARD_RULE_NAME, GUARD_RULE_CHARACTER,
                                        GUARD_RULE_LENGTH};
static const struct guard_address_prefix prefixes[] = {{{192, 0, 2, 0}, 4, 24},
                                                       {{192, 0, 2, 8}, 4, 29},
                                                       {{192, 0, 0, 0}, 4, 23},
                                                       {{10, 0, 0, 0}, 4, 8}};
static const uint64_t ends[] = {NOW - 1, NOW, NOW + 1, NOW + 1000};
static const char *const ids[EXCEPTIONS] = {"E0", "E1", "E2"};
static const char *const paths[] = {
    "/search", "/search", "/users/7", "/users/7%20or%201%3D1", "/files/readme", "/nowhere/at/all"};
static const char *const queries[] = {"username=tom",
                                      "username=tom+or+1%3D1",
                                      "username=%3Cscript%3Ealert(1)%3C/script%3E",
                                      "id=1%27+or+1%3D1",
                                      "id=1",
                                      "x1=1%27+or+1%3D1",
                                      "sort=desc",
                                      "note=soft",
                                      "username=hard"};

/* The lists of one exception. */
struct drawn {
    struct guard_span endpoint, method, names[2], patches[2];
    struct guard_address_prefix client;
};

struct request {
    const char *method, *path;
    char target[1024];
    uint8_t address[4];
    bool forwarded;
};

/* What a verdict says, beyond its transaction's end. */
struct seen {
    enum guard_decision decision, action;
    uint16_t score, threshold;
    uint32_t count, total;
    char exception[TEXT];
    struct {
        enum guard_rule rule;
        enum guard_location location;
        bool configured, shadow;
        char name[TEXT], patch[TEXT], exception[TEXT];
    } findings[GUARD_FINDINGS_MAX];
};

static struct world world;
static struct guard_exception exceptions[EXCEPTIONS];
static struct drawn drawn[EXCEPTIONS];
static struct guard_patch patches[2];
static const struct guard_span patch_texts[2] = {GUARD_SPAN_LITERAL("soft"),
                                                 GUARD_SPAN_LITERAL("hard")};

/* --- drawing --- */

static void draw_scope(struct test_random *random, struct guard_exception *out, struct drawn *of)
{
    if (test_random_once_in(random, 3)) {
        of->endpoint = world_span(ONE_OF(random, endpoints));
        out->endpoints = &of->endpoint;
        out->endpoint_count = 1;
    }
    if (test_random_once_in(random, 4)) {
        of->method = world_span(ONE_OF(random, methods));
        out->methods = &of->method;
        out->method_count = 1;
    }
    if (test_random_once_in(random, 3)) {
        of->client = ONE_OF(random, prefixes);
        out->clients = &of->client;
        out->client_count = 1;
    }
    if (test_random_once_in(random, 3)) {
        for (int i = 0; i < 2; i++)
            of->patches[i] = world_span(ONE_OF(random, patch_ids));
        out->patches = of->patches;
        out->patch_count = 2;
        return;
    }
    if (test_random_once_in(random, 3))
        out->locations = UINT32_C(1) << ONE_OF(random, places);
    if (test_random_once_in(random, 2)) {
        for (int i = 0; i < 2; i++)
            of->names[i] = world_span(ONE_OF(random, names));
        out->names = of->names;
        out->name_count = 2;
    }
    for (int i = 0; i < 2 && test_random_once_in(random, 3); i++) {
        const enum guard_rule rule = ONE_OF(random, rules);
        out->rules[(unsigned)rule / 64] |= UINT64_C(1) << (unsigned)rule % 64;
    }
}

/* One that may stand in a Guardian. */
static void draw_exception(struct test_random *random, int index)
{
    struct guard_err err;
    do {
        exceptions[index] = (struct guard_exception){.id = world_span(ids[index]),
                                                     .author = world_span("alice"),
                                                     .reason = world_span("a test"),
                                                     .created_ms = 1,
                                                     .expires_ms = ONE_OF(random, ends)};
        draw_scope(random, &exceptions[index], &drawn[index]);
    } while (guard_exception_check(&exceptions[index], &err) != GUARD_OK);
}

static void draw_request(struct test_random *random, struct request *out)
{
    out->method = test_random_once_in(random, 8) ? ONE_OF(random, methods) : "GET";
    out->path = ONE_OF(random, paths);
    out->forwarded = test_random_once_in(random, 6);
    memcpy(out->address, test_random_once_in(random, 2) ? "\xc0\x00\x02\x07" : "\xc0\x00\x02\x0a",
           4);
    snprintf(out->target, sizeof(out->target), "%s", out->path);
    for (uint64_t i = 0, parts = test_random_below(random, 4); i < parts; i++) {
        size_t len = strlen(out->target);
        snprintf(out->target + len, sizeof(out->target) - len, "%c%s", i == 0 ? '?' : '&',
                 ONE_OF(random, queries));
    }
}

/* --- asking --- */

static void make_world(enum guard_mode mode)
{
    world_init(&world);
    guard_guardian_set_mode(&world.guardian, mode);
    for (int i = 0; i < 2; i++)
        patches[i] = (struct guard_patch){.id = world_span(patch_ids[i]),
                                          .mode = GUARD_PATCH_ENFORCE,
                                          .mandatory = i == 1,
                                          .action = GUARD_PATCH_BLOCK,
                                          .when = {.op = GUARD_OPERATOR_CONTAINS,
                                                   .places = GUARD_PLACE_QUERY,
                                                   .texts = &patch_texts[i],
                                                   .text_count = 1,
                                                   .min = -1,
                                                   .max = -1}};
    world.guardian.patches = patches;
    world.guardian.patch_count = 2;
    world.guardian.exceptions = exceptions;
}

static void keep(char to[TEXT], struct guard_span text)
{
    snprintf(to, TEXT, "%.*s", (int)text.len, text.len > 0 ? (const char *)text.ptr : "");
}

static void look(struct seen *seen, const struct guard_verdict *verdict)
{
    memset(seen, 0, sizeof(*seen));
    seen->decision = verdict->decision;
    seen->action = verdict->action;
    seen->score = verdict->score;
    seen->threshold = verdict->threshold;
    seen->count = verdict->finding_count;
    seen->total = verdict->finding_total;
    keep(seen->exception, verdict->exception);
    for (uint32_t i = 0; i < seen->count; i++) {
        const struct guard_finding *finding = &verdict->findings[i];
        seen->findings[i].rule = finding->rule;
        seen->findings[i].location = finding->location;
        seen->findings[i].configured = finding->configured;
        seen->findings[i].shadow = finding->shadow;
        keep(seen->findings[i].name, finding->name);
        keep(seen->findings[i].patch, finding->patch);
        keep(seen->findings[i].exception, finding->exception);
    }
}

static struct seen ask(const struct guard_policy *policy, const struct request *request)
{
    static struct seen seen;
    struct naive_matcher naive = {.policy = policy};
    const struct guard_matcher matcher = {&naive, naive_scan, naive_find};
    struct guard_arena arena;
    struct guard_txn *txn;
    struct guard_client client = {.unit = GUARD_UNIT_PREFIX, .address_len = 4};
    memcpy(client.address, request->address, 4);
    const struct guard_txn_cfg cfg = {
        .policy = policy, .service = world.guardian.service, .time_ms = NOW, .matcher = &matcher};
    guard_arena_init(&arena, &world_heap, 256 * 1024);
    if (guard_txn_begin(&txn, &cfg, &arena) != GUARD_OK)
        exit(1);
    guard_txn_client(txn, &client);
    guard_txn_request(txn, world_span(request->method), world_span(request->target), 11);
    guard_txn_header(txn, world_span("Host"), world_span("shop.test"));
    guard_txn_header(txn, world_span("User-Agent"), world_span("curl/7.88.1"));
    guard_txn_header(txn, world_span("Accept"), world_span("*/*"));
    guard_txn_header(txn, world_span("Cookie"), world_span("lang=en"));
    if (request->forwarded)
        guard_txn_header(txn, world_span("X-Forwarded-Host"), world_span("x.test"));
    (void)guard_txn_headers_end(txn);
    look(&seen, guard_txn_request_end(txn));
    guard_arena_reset(&arena);
    return seen;
}

/* --- the second opinion --- */

static bool template_fits(const char *pattern, const char *path)
{
    const size_t len = strlen(pattern);
    if (strcmp(pattern, "/{*}") == 0)
        return true;
    if (len < 3 || strcmp(pattern + len - 3, "/{}") != 0)
        return strcmp(pattern, path) == 0;
    return strncmp(pattern, path, len - 2) == 0 && strchr(path + len - 2, '/') == NULL;
}

static bool address_fits(const struct guard_address_prefix *prefix, const uint8_t address[4])
{
    for (unsigned bit = 0; bit < prefix->bits; bit++) {
        if (((address[bit / 8] ^ prefix->address[bit / 8]) >> (7 - bit % 8) & 1) != 0)
            return false;
    }
    return true;
}

static bool is(struct guard_span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.ptr, text, span.len) == 0;
}

static bool request_fits(const struct guard_exception *exception, const struct request *request)
{
    return exception->expires_ms > NOW &&
           (exception->endpoint_count == 0 ||
            template_fits((const char *)exception->endpoints[0].ptr, request->path)) &&
           (exception->method_count == 0 || is(exception->methods[0], request->method)) &&
           (exception->client_count == 0 || address_fits(&exception->clients[0], request->address));
}

static bool name_fits(const struct guard_exception *exception, const char *name)
{
    bool fits = exception->name_count == 0;
    for (uint32_t i = 0; i < exception->name_count; i++)
        fits |= fnmatch((const char *)exception->names[i].ptr, name, 0) == 0;
    return fits;
}

static bool is_covered(const struct guard_exception *exception, const struct request *request,
                       const struct seen *seen, uint32_t index)
{
    const unsigned rule = seen->findings[index].rule;
    const char *patch = seen->findings[index].patch;
    if (!request_fits(exception, request))
        return false;
    if (patch[0] != '\0') {
        bool named = false;
        for (uint32_t i = 0; i < exception->patch_count; i++)
            named |= is(exception->patches[i], patch);
        return named && strcmp(patch, "hard") != 0;
    }
    return exception->patch_count == 0 &&
           (exception->locations == 0 ||
            (exception->locations >> seen->findings[index].location & 1) != 0) &&
           ((exception->rules[0] | exception->rules[1]) == 0 ||
            (exception->rules[rule / 64] >> rule % 64 & 1) != 0) &&
           name_fits(exception, seen->findings[index].name);
}

static const char *covered_by(const struct request *request, const struct seen *seen,
                              uint32_t index)
{
    for (uint32_t i = 0; i < world.guardian.exception_count; i++) {
        if (is_covered(&exceptions[i], request, seen, index))
            return ids[i];
    }
    return "";
}

/* --- what must hold --- */

static bool same(const struct seen *a, const struct seen *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static const char *findings_broken(const struct request *request, const struct seen *with)
{
    bool any = false;
    for (uint32_t i = 0; i < with->count; i++) {
        const char *by = covered_by(request, with, i);
        if (strcmp(with->findings[i].exception, by) != 0)
            return "a finding is covered by another exception than it should";
        any |= by[0] != '\0';
        if (with->findings[i].configured && !with->findings[i].shadow && by[0] == '\0' &&
            with->decision != GUARD_BLOCK)
            return "what a person configured and nothing covers doesn't block";
    }
    return any || with->exception[0] == '\0' ? NULL : "no finding is covered, but the verdict is";
}

/* What is enforced by a patch blocks in mode alert as well, and without its hit the mode counts. */
static bool lower(const struct seen *without, const struct seen *with, bool patch)
{
    if (with->exception[0] != '\0')
        return without->decision == GUARD_BLOCK && with->decision == GUARD_ALERT &&
               with->action == GUARD_ALERT;
    return with->decision == without->decision &&
           (with->action == without->action ||
            (patch && without->action == GUARD_BLOCK && with->action == GUARD_ALERT));
}

static const char *broken(const struct request *request, const struct seen *without,
                          const struct seen *with)
{
    const char *wrong = findings_broken(request, with);
    bool any = false, patch = false;
    if (wrong != NULL)
        return wrong;
    if (with->count != without->count || with->total != without->total)
        return "not all is told as without exceptions";
    for (uint32_t i = 0; i < with->count; i++) {
        bool covered = with->findings[i].exception[0] != '\0';
        any |= covered;
        patch |= covered && with->findings[i].patch[0] != '\0';
        if (strcmp(with->findings[i].patch, "hard") == 0 && with->action != GUARD_BLOCK)
            return "a mandatory patch doesn't block";
    }
    if (!any && !same(without, with))
        return "no exception covers anything, but the verdict differs";
    if (!patch && (with->score != without->score || with->threshold != without->threshold))
        return "not all is weighed as without exceptions";
    return lower(without, with, patch) ? NULL : "more changes than a block to an alert";
}

/* Covered parameters beside the rest take nothing from it. */
static const char *crowd_broken(struct test_random *random, const struct guard_policy *policy,
                                const struct request *request, const struct seen *with)
{
    struct request crowd = *request;
    bool first = strchr(crowd.target, '?') == NULL;
    if (with->decision != GUARD_BLOCK)
        return NULL;
    for (uint64_t i = 0, more = test_random_between(random, 1, 40); i < more; i++) {
        size_t len = strlen(crowd.target);
        snprintf(crowd.target + len, sizeof(crowd.target) - len, "%cx%02d=a%%27b",
                 first ? '?' : '&', (int)i);
        first = false;
    }
    return ask(policy, &crowd).decision == GUARD_BLOCK ? NULL : "parameters beside it lift a block";
}

static void fail(const char *wrong, const struct request *request, const struct seen *seen)
{
    fprintf(stderr, "%s\n%s %s from .%u: decision %d, exception %s\n", wrong, request->method,
            request->target, request->address[3], (int)seen->decision, seen->exception);
    for (uint32_t i = 0; i < seen->count; i++)
        fprintf(stderr, "  %s %s %s%s [%s]\n", guard_rule_name(seen->findings[i].rule),
                guard_location_name(seen->findings[i].location), seen->findings[i].name,
                seen->findings[i].patch, seen->findings[i].exception);
    exit(1);
}

int main(void)
{
    struct test_random random = test_random_start("prop_exceptions");
    uint32_t lowered = 0, kept = 0, mandatory = 0;
    for (int i = 0; i < POLICIES; i++) {
        make_world(test_random_once_in(&random, 4) ? GUARD_MODE_ALERT : GUARD_MODE_BLOCK);
        struct guard_policy *plain = world_policy(&world);
        world.guardian.exception_count = (uint32_t)test_random_between(&random, 1, EXCEPTIONS);
        for (uint32_t k = 0; k < world.guardian.exception_count; k++)
            draw_exception(&random, (int)k);
        struct guard_policy *policy = world_policy(&world);
        for (int k = 0; k < REQUESTS; k++) {
            struct request request;
            draw_request(&random, &request);
            const struct seen without = ask(plain, &request);
            const struct seen with = ask(policy, &request);
            const char *wrong = broken(&request, &without, &with);
            if (wrong == NULL)
                wrong = crowd_broken(&random, policy, &request, &with);
            if (wrong != NULL)
                fail(wrong, &request, &with);
            lowered += with.exception[0] != '\0';
            kept += with.decision == GUARD_BLOCK;
            mandatory += strstr(request.target, "hard") != NULL;
        }
        world_policy_free(policy);
        world_policy_free(plain);
    }
    fprintf(stderr, "%u blocks lowered, %u kept, %u at a mandatory patch\n", lowered, kept,
            mandatory);
    return lowered > 100 && kept > 100 && mandatory > 100 ? 0 : 1;
}
