/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot of verdicts: fixed policies, fixed requests, the text of what was decided. A change of
 * rules, weights or sentences shows here and is accepted on purpose only: run with --update, read
 * the difference, commit it. */
#include "support/naive_matcher.h"
#include "unit/policy/world.h"

#include <guard/likeness.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world world;
static struct guard_endpoint_rule rules[2];
static struct guard_criterion criteria[3];
static struct guard_span values[2];

static void as_learned(void)
{
    world_init(&world);
}

static void strict(void)
{
    world_init(&world);
    world.cfg.alpha = 1e-5;
    world.guardian.request_mode = GUARD_MODE_ALERT;
}

static void with_criteria(void)
{
    world_init(&world);
    values[0] = GUARD_SPAN_LITERAL("asc");
    values[1] = GUARD_SPAN_LITERAL("random");
    criteria[0] = world_criterion(GUARD_LOCATION_QUERY, "sort");
    criteria[0].values = values;
    criteria[0].value_count = 2;
    criteria[1] = world_criterion(GUARD_LOCATION_QUERY, "username");
    criteria[1].length_max = 8;
    criteria[2] = world_criterion(GUARD_LOCATION_QUERY, "x");
    criteria[2].types = 1u << GUARD_TYPE_INT;
    rules[0] = (struct guard_endpoint_rule){.template_text = world_span("/search"),
                                            .mode = -1,
                                            .body_max = -1,
                                            .closed = true,
                                            .fields = criteria,
                                            .field_count = 3};
    rules[1] = (struct guard_endpoint_rule){
        .template_text = world_span("/users/{}"), .mode = GUARD_MODE_OBSERVE, .body_max = -1};
    world.guardian.endpoints = rules;
    world.guardian.endpoint_count = 2;
}

static const struct {
    const char *name;
    void (*make)(void);
} policies[] = {{"as learned", as_learned},
                {"alpha 1e-5, mode alert", strict},
                {"with criteria", with_criteria}};

static const struct ask asks[] = {
    {"GET", "/search?username=tom&id=1&sort=asc&note=fine,+thanks", NULL, NULL, NULL},
    {"GET", "/search?username=tom+or+1%3D1", NULL, NULL, NULL},
    {"GET", "/search?username=tom%27%20UNION%20SELECT%20*%20FROM%20users--", NULL, NULL, NULL},
    {"GET", "/search?username=%3Cscript%3Ealert(1)%3C/script%3E", NULL, NULL, NULL},
    {"GET", "/search?username=Tom", NULL, NULL, NULL},
    {"GET", "/search?username=maximilian", NULL, NULL, NULL},
    {"GET", "/search?username=tom&sort=random", NULL, NULL, NULL},
    {"GET", "/search?username=tom&sort=desc", NULL, NULL, NULL},
    {"GET", "/search?username=tom&x=1", NULL, NULL, NULL},
    {"GET", "/search?username=tom&x=y", NULL, NULL, NULL},
    {"GET", "/search?id=1", NULL, NULL, NULL},
    {"GET", "/search?username=tom&username=bob", NULL, NULL, NULL},
    {"GET", "/search?username=%ff%27", NULL, NULL, NULL},
    {"GET", "/users/7", NULL, NULL, NULL},
    {"GET", "/users/7%20or%201%3D1", NULL, NULL, NULL},
    {"GET", "/users/export", NULL, NULL, NULL},
    {"GET", "/users/../admin", NULL, NULL, NULL},
    {"GET", "/.git/config", NULL, NULL, NULL},
    {"DELETE", "/users/7", NULL, NULL, NULL},
    {"OPTIONS", "/orders", NULL, NULL, NULL},
    {"PUT", "/orders", NULL, "{\"item\":\"chair\"}", NULL},
    {"POST", "/orders", NULL,
     "{\"item\":\"chair\",\"qty\":2,\"address\":{\"zip\":\"12345\"},\"tags\":[\"new\"]}", NULL},
    {"POST", "/orders", NULL, "{\"item\":{\"$ne\":null},\"qty\":2}", NULL},
    {"POST", "/orders", NULL, "{\"item\":\"chair\",\"qty\":2,\"role\":\"admin\"}", NULL},
    {"POST", "/orders", NULL, "{\"item\":\"chair\",\"qty\":2", NULL},
    {"POST", "/login", NULL, "user=tom&password=secret1", NULL},
    {"POST", "/login", NULL, "user=admin'--&password=x", NULL},
    {"GET", "/files/readme", NULL, NULL, NULL},
    {"GET", "/files/..%2f..%2fetc%2fpasswd", NULL, NULL, NULL},
    {"GET", "/users/7", "host: shop.test\nuser-agent: ${jndi:ldap://x.test/a}\n", NULL, NULL},
    {"GET", "/users/7", "user-agent: curl/7.88.1\nx-forwarded-host: x.test\n", NULL, NULL},
};

/* Calls: the host is the first segment of the path. */
static const struct ask calls[] = {
    {"GET", "/7", "host: users\n", NULL, NULL},
    {"GET", "/7", "host: Users.:80\n", NULL, NULL},
    {"GET", "/7", "host: db2:5432\n", NULL, NULL},
    {"GET", "http://169.254.169.254/latest/meta-data", "host: users\n", NULL, NULL},
    {"GET", "/7%20or%201%3D1", "host: users\n", NULL, NULL},
    {"DELETE", "/7", "host: users\n", NULL, NULL},
};

static void print_verdict(FILE *out, const struct ask *ask, const struct answer *answer)
{
    const struct guard_verdict *verdict = answer->verdict;
    char line[512], observed[160], expected[160];
    guard_explain(verdict, guard_txn_method(answer->txn), guard_txn_template(answer->txn), line,
                  sizeof(line));
    fprintf(out, "%s %s%s%s\n", ask->method, ask->target, ask->body != NULL ? " " : "",
            ask->body != NULL ? ask->body : "");
    fprintf(out, "  %s score %u of %u: %s\n", guard_decision_name(verdict->action), verdict->score,
            verdict->threshold, line);
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        const struct guard_finding *finding = &verdict->findings[i];
        guard_finding_texts(finding, observed, sizeof(observed), expected, sizeof(expected));
        fprintf(out, "    %u %s %s %.*s [%s] [%s]\n", finding->strength,
                guard_rule_name(finding->rule), guard_location_name(finding->location),
                (int)finding->name.len, (const char *)finding->name.ptr, observed, expected);
    }
}

static void print_all(FILE *out)
{
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        policies[i].make();
        fprintf(out, "# policy: %s\n", policies[i].name);
        struct guard_policy *policy = world_policy(&world);
        for (size_t k = 0; k < sizeof(asks) / sizeof(asks[0]); k++) {
            struct answer answer;
            world_ask(&answer, policy, &asks[k]);
            print_verdict(out, &asks[k], &answer);
            world_answer_free(&answer);
        }
        world_policy_free(policy);
    }
}

static void print_calls(FILE *out)
{
    as_learned();
    world_field(&world, -1, GUARD_LOCATION_HEADER, "host")->required = false;
    fprintf(out, "# outbound\n");
    struct guard_policy *policy = world_policy(&world);
    for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++) {
        struct answer answer;
        world_call(&answer, policy, &calls[k]);
        fprintf(out, "%s", calls[k].headers);
        print_verdict(out, &calls[k], &answer);
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

static const struct {
    const char *target;
    struct reply reply;
} replies[] = {
    {"/users/7", {200, "application/json", NULL, "{\"id\":7,\"name\":\"tom\"}"}},
    {"/users/7", {200, "application/json", NULL, "{\"id\":7,\"mail\":\"tom@shop.test\"}"}},
    {"/users/7", {200, "application/json", NULL, "{\"id\":7,\"role\":\"admin\"}"}},
    {"/users/7", {200, "application/json", NULL, "{\"name\":\"tom\"}"}},
    {"/users/7", {200, "text/html", NULL, "<p>tom</p>"}},
    {"/users/7", {200, "application/json", "x-powered-by: PHP\n", "{\"id\":7}"}},
    {"/users/7", {202, "application/json", NULL, "{\"id\":7}"}},
    {"/users/7", {404, "application/json", NULL, "{\"error\":\"not found\"}"}},
    {"/users/7", {404, "application/json", NULL, "{\"error\":\"not found\",\"sql\":\"select\"}"}},
    {"/users/7", {500, "text/plain", NULL, "Traceback (most recent call last):"}},
    {"/nowhere", {200, "text/plain", NULL, "Traceback (most recent call last):"}},
    {"/search", {302, NULL, NULL, NULL}},
};

static void with_responses(void)
{
    static const struct guard_status_range statuses[] = {{200, 200}, {400, 499}};
    static struct guard_response_rule everywhere, of_users;
    static struct guard_criterion powered, fields[2];
    as_learned();
    world_learn_responses(&world);
    world.guardian.response_mode = GUARD_MODE_BLOCK;
    powered = world_criterion(GUARD_LOCATION_HEADER, "x-powered-by");
    powered.forbidden = true;
    everywhere = (struct guard_response_rule){.body_max = -1,
                                              .fields = &powered,
                                              .field_count = 1,
                                              .leaks_forbidden = 1u << GUARD_LEAK_STACK_TRACE};
    fields[0] = world_criterion(GUARD_LOCATION_JSON, "id");
    fields[0].required = 1;
    fields[1] = world_criterion(GUARD_LOCATION_JSON, "mail");
    of_users = (struct guard_response_rule){.statuses = statuses,
                                            .status_count = 2,
                                            .body_max = 60,
                                            .closed = true,
                                            .fields = fields,
                                            .field_count = 2};
    rules[0] = (struct guard_endpoint_rule){.template_text = world_span("/users/{int}"),
                                            .mode = -1,
                                            .body_max = -1,
                                            .response = &of_users};
    world.guardian.endpoints = rules;
    world.guardian.endpoint_count = 1;
    world.guardian.response = &everywhere;
}

static void print_replies(FILE *out)
{
    fprintf(out, "# responses\n");
    with_responses();
    struct guard_policy *policy = world_policy(&world);
    for (size_t k = 0; k < sizeof(replies) / sizeof(replies[0]); k++) {
        const struct reply *reply = &replies[k].reply;
        const struct ask ask = {"GET", replies[k].target, NULL, reply->body, NULL};
        const struct ask bare = {"GET", replies[k].target, NULL, NULL, NULL};
        struct answer answer;
        world_reply(&answer, policy, &bare, reply);
        fprintf(out, "%u ", reply->status);
        print_verdict(out, &ask, &answer);
        world_answer_free(&answer);
    }
    world_policy_free(policy);
}

/* One parameter's false alarm: it alone, with what still blocks beside it, and elsewhere. */
static void print_excepted(FILE *out)
{
    enum { CREATED = 1, EXPIRES = 2000000 };
    static const char *const targets[] = {"/search?username=tom+or+1%3D1",
                                          "/search?username=tom+or+1%3D1&x=%27--",
                                          "/users/7%20or%201%3D1"};
    const struct guard_span endpoint = world_span("/search");
    const struct guard_span name = world_span("username");
    struct guard_exception exception = {.id = world_span("FP-1"),
                                        .author = world_span("alice"),
                                        .reason = world_span("a false alarm"),
                                        .created_ms = CREATED,
                                        .expires_ms = EXPIRES,
                                        .endpoints = &endpoint,
                                        .endpoint_count = 1,
                                        .locations = 1u << GUARD_LOCATION_QUERY,
                                        .names = &name,
                                        .name_count = 1};
    as_learned();
    guard_guardian_set_mode(&world.guardian, GUARD_MODE_BLOCK);
    world.guardian.exceptions = &exception;
    world.guardian.exception_count = 1;
    world_time_ms = EXPIRES - 1;
    struct guard_policy *policy = world_policy(&world);
    fprintf(out, "# exceptions\n");
    for (size_t k = 0; k < sizeof(targets) / sizeof(targets[0]); k++) {
        const struct ask ask = {"GET", targets[k], NULL, NULL, NULL};
        struct answer answer;
        world_ask(&answer, policy, &ask);
        print_verdict(out, &ask, &answer);
        world_answer_free(&answer);
    }
    world_policy_free(policy);
    world_time_ms = 0;
}

/* One condition of each kind, alone in a patch. */
static struct guard_span hit_text;
static struct guard_span hit_name;
static struct guard_patch_condition hit_child;

static struct guard_patch_condition condition_of(enum guard_patch_operator op)
{
    static const char *const texts[GUARD_OPERATORS] = {
        [GUARD_OPERATOR_CONTAINS] = "${jndi:", [GUARD_OPERATOR_EQUALS] = "a ${jndi:x}",
        [GUARD_OPERATOR_BEGINS] = "a ",        [GUARD_OPERATOR_ENDS] = "}",
        [GUARD_OPERATOR_REGEX] = "^a +.*[}]$", [GUARD_OPERATOR_CHARSET] = "a-z"};
    struct guard_patch_condition when = {
        .op = op, .places = GUARD_PLACE_QUERY, .min = -1, .max = -1};
    hit_name = GUARD_SPAN_LITERAL("q");
    if (op == GUARD_OPERATOR_ALL || op == GUARD_OPERATOR_ANY || op == GUARD_OPERATOR_NOT) {
        hit_child =
            condition_of(op == GUARD_OPERATOR_NOT ? GUARD_OPERATOR_COUNT : GUARD_OPERATOR_CONTAINS);
        hit_child.min = op == GUARD_OPERATOR_NOT ? 2 : -1;
        return (struct guard_patch_condition){
            .op = op, .children = &hit_child, .child_count = 1, .min = -1, .max = -1};
    }
    if (op == GUARD_OPERATOR_RANGE || op == GUARD_OPERATOR_TRAVERSAL)
        hit_name = op == GUARD_OPERATOR_RANGE ? GUARD_SPAN_LITERAL("n") : GUARD_SPAN_LITERAL("f");
    when.names = &hit_name;
    when.name_count = 1;
    if (texts[op] != NULL) {
        hit_text = world_span(texts[op]);
        when.texts = &hit_text;
        when.text_count = 1;
    }
    if (op == GUARD_OPERATOR_LENGTH || op == GUARD_OPERATOR_COUNT || op == GUARD_OPERATOR_RANGE)
        when.min = 1;
    when.types = op == GUARD_OPERATOR_TYPE ? 1u << GUARD_TYPE_TEXT : 0;
    when.likeness = op == GUARD_OPERATOR_LIKENESS ? 1u << GUARD_LIKENESS_LOOKUP : 0;
    return when;
}

static void print_patch(FILE *out, struct guard_patch *patch, bool scanned)
{
    world_init(&world);
    world.cfg.configured_only = true;
    world.guardian.patches = patch;
    world.guardian.patch_count = 1;
    struct guard_policy *policy = world_policy(&world);
    struct naive_matcher naive = {.policy = policy};
    struct guard_matcher matcher = {&naive, naive_scan, naive_find};
    const struct guard_txn_cfg cfg = {
        .policy = policy, .service = world.guardian.service, .matcher = scanned ? &matcher : NULL};
    struct guard_arena arena;
    struct guard_txn *txn = NULL;
    guard_arena_init(&arena, &world_heap, 256 * 1024);
    if (guard_txn_begin(&txn, &cfg, &arena) != GUARD_OK)
        exit(1);
    guard_txn_request(txn, world_span("GET"),
                      world_span("/search?q=a+$%7Bjndi:x%7D&n=7&f=../../etc/passwd"), 11);
    (void)guard_txn_headers_end(txn);
    const struct guard_verdict *verdict = guard_txn_request_end(txn);
    char line[512];
    fprintf(out, "%s%s: %s\n", guard_operator_name(patch->when.op),
            scanned ? "" : ", without a matcher", guard_decision_name(verdict->action));
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        guard_explain_finding(&verdict->findings[i], line, sizeof(line));
        fprintf(out, "  %s\n", line);
    }
    guard_arena_reset(&arena);
    world_policy_free(policy);
}

static void print_patches(FILE *out)
{
    fprintf(out, "# patches\n");
    for (int op = 0; op < GUARD_OPERATORS; op++) {
        struct guard_patch patch = {.id = GUARD_SPAN_LITERAL("CVE-1"),
                                    .title = GUARD_SPAN_LITERAL("a flaw"),
                                    .mode = GUARD_PATCH_ENFORCE,
                                    .action = GUARD_PATCH_BLOCK,
                                    .when = condition_of((enum guard_patch_operator)op)};
        print_patch(out, &patch, true);
    }
    struct guard_patch other = {.id = GUARD_SPAN_LITERAL("CVE-2"),
                                .mode = GUARD_PATCH_SHADOW,
                                .action = GUARD_PATCH_BLOCK,
                                .when = condition_of(GUARD_OPERATOR_CONTAINS)};
    print_patch(out, &other, true);
    other.when = condition_of(GUARD_OPERATOR_REGEX);
    other.mode = GUARD_PATCH_ENFORCE;
    print_patch(out, &other, false);
}

static char *read_all(const char *path)
{
    enum { MAX = 1 << 20 };
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, MAX);
    if (file != NULL && text != NULL)
        (void)!fread(text, 1, MAX - 1, file);
    if (file != NULL)
        fclose(file);
    return text;
}

/* The first line that differs. */
static int compare(const char *wanted, const char *got)
{
    for (int line = 1; *wanted != '\0' || *got != '\0'; line++) {
        size_t a = strcspn(wanted, "\n"), b = strcspn(got, "\n");
        if (a != b || memcmp(wanted, got, a) != 0) {
            fprintf(stderr, "line %d\n  expected: %.*s\n  got:      %.*s\n", line, (int)a, wanted,
                    (int)b, got);
            return 1;
        }
        wanted += a + (wanted[a] == '\n');
        got += b + (got[b] == '\n');
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || (argc > 2 && strcmp(argv[1], "--update") != 0)) {
        fprintf(stderr, "usage: %s [--update] decisions.txt\n", argv[0]);
        return 2;
    }
    if (argc > 2) {
        FILE *file = fopen(argv[2], "w");
        if (file == NULL)
            return 1;
        print_all(file);
        print_calls(file);
        print_replies(file);
        print_excepted(file);
        print_patches(file);
        return fclose(file) == 0 ? 0 : 1;
    }
    char *got = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&got, &len);
    if (memory == NULL)
        return 1;
    print_all(memory);
    print_calls(memory);
    print_replies(memory);
    print_excepted(memory);
    print_patches(memory);
    fclose(memory);
    char *wanted = read_all(argv[1]);
    int rc = wanted == NULL ? 1 : compare(wanted, got);
    free(wanted);
    free(got);
    return rc;
}
