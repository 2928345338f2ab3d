/* SPDX-License-Identifier: Apache-2.0 */
/* Patches, their patterns and exceptions in a policy that whoever has the key wrote wrongly: what
 * would be read beside its section is refused by name, all else is harmless to decide with. */
#include "support/naive_matcher.h"
#include "unit/policy/world.h"

#include "base/span.h"
#include "policy/format.h"
#include "policy/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S(text) GUARD_SPAN_LITERAL(text)

/* A compiled policy and a copy of it to be spoilt. */
struct forged {
    uint8_t *good;
    uint8_t *bytes;
    size_t len;
};

static struct world world;
static struct forged forged;

static struct guard_patch_condition leaf(enum guard_patch_operator op, uint32_t places,
                                         struct guard_span *text)
{
    return (struct guard_patch_condition){.op = op,
                                          .places = places,
                                          .texts = text,
                                          .text_count = text != NULL,
                                          .min = -1,
                                          .max = -1};
}

/* P: by patterns, of groups in groups; Q: by no pattern; R: of responses. */
static void add_patches(void)
{
    static struct guard_patch_condition inner[2], negated, outer[3];
    static struct guard_patch patches[3];
    static struct guard_span jndi, evil, digits, error, endpoint, method, name, media;
    jndi = S("${jndi:");
    evil = S("evil");
    digits = S("^x[0-9]+$");
    error = S("trace");
    endpoint = S("/search");
    method = S("GET");
    name = S("username");
    media = S("application/json");
    inner[0] = leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_HEADER | GUARD_PLACE_QUERY, &jndi);
    inner[1] = leaf(GUARD_OPERATOR_REGEX, GUARD_PLACE_QUERY, &digits);
    negated = leaf(GUARD_OPERATOR_EQUALS, GUARD_PLACE_QUERY, &evil);
    outer[0] = (struct guard_patch_condition){
        .op = GUARD_OPERATOR_ANY, .children = inner, .child_count = 2, .min = -1, .max = -1};
    outer[1] = (struct guard_patch_condition){
        .op = GUARD_OPERATOR_NOT, .children = &negated, .child_count = 1, .min = -1, .max = -1};
    outer[2] = leaf(GUARD_OPERATOR_PRESENT, GUARD_PLACE_QUERY, NULL);
    outer[2].names = &name;
    outer[2].name_count = 1;
    for (uint32_t i = 0; i < 3; i++)
        patches[i] = (struct guard_patch){.id = gd_span(&"PQR"[i], 1),
                                          .title = S("a flaw"),
                                          .fixed_in = S("9"),
                                          .mode = GUARD_PATCH_ENFORCE,
                                          .action = GUARD_PATCH_BLOCK};
    patches[0].when = (struct guard_patch_condition){
        .op = GUARD_OPERATOR_ALL, .children = outer, .child_count = 3, .min = -1, .max = -1};
    patches[0].endpoints = &endpoint;
    patches[0].methods = &method;
    patches[0].endpoint_count = patches[0].method_count = 1;
    patches[1].when = leaf(GUARD_OPERATOR_LENGTH, GUARD_PLACE_QUERY, NULL);
    patches[1].when.min = 1000;
    patches[2].part = GUARD_PATCH_RESPONSE;
    patches[2].when = leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_BODY, &error);
    patches[2].media_types = &media;
    patches[2].media_count = 1;
    world.guardian.patches = patches;
    world.guardian.patch_count = 3;
}

static void add_exceptions(void)
{
    static struct guard_exception exceptions[2];
    static struct guard_address_prefix client = {
        .address = {192, 0, 2}, .address_len = 4, .bits = 24};
    static struct guard_span endpoint, method, name, patch;
    endpoint = S("/search");
    method = S("GET");
    name = S("user*");
    patch = S("P");
    exceptions[0] = (struct guard_exception){.id = S("FP-1"),
                                             .endpoints = &endpoint,
                                             .endpoint_count = 1,
                                             .methods = &method,
                                             .method_count = 1,
                                             .names = &name,
                                             .name_count = 1,
                                             .clients = &client,
                                             .client_count = 1};
    exceptions[1] = (struct guard_exception){.id = S("FP-2"), .patches = &patch, .patch_count = 1};
    for (int i = 0; i < 2; i++) {
        exceptions[i].author = exceptions[i].reason = S("x");
        exceptions[i].created_ms = 1;
        exceptions[i].expires_ms = 2000000;
    }
    world.guardian.exceptions = exceptions;
    world.guardian.exception_count = 2;
}

static int setup(void **state)
{
    (void)state;
    struct guard_err err = {""};
    world_init(&world);
    world.cfg.configured_only = true;
    add_patches();
    add_exceptions();
    if (guard_policy_compile(&forged.good, &forged.len, &world.model, &world.guardian, &world.cfg,
                             NULL, &err) != GUARD_OK) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    /* In a block of its own and of just that size, so that a read behind it is noticed. */
    forged.bytes = malloc(forged.len);
    return forged.bytes == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    free(forged.good);
    free(forged.bytes);
    return 0;
}

static struct gd_policy_header *anew(void)
{
    memcpy(forged.bytes, forged.good, forged.len);
    return (struct gd_policy_header *)(void *)forged.bytes;
}

static void *item(enum gd_policy_section section, size_t size, uint32_t index)
{
    const struct gd_policy_header *header = (const void *)forged.bytes;
    assert_true(index < header->sections[section].count);
    return forged.bytes + header->sections[section].first + size * index;
}

#define PATCH(i)                                                                                   \
    ((struct gd_patch_entry *)item(GD_SECTION_PATCHES, sizeof(struct gd_patch_entry), i))
#define NODE(i)                                                                                    \
    ((struct gd_patch_node *)item(GD_SECTION_CONDITIONS, sizeof(struct gd_patch_node), i))
#define TEXT(i)                                                                                    \
    ((struct gd_patch_text *)item(GD_SECTION_PATCH_TEXTS, sizeof(struct gd_patch_text), i))
#define PATTERN(i)                                                                                 \
    ((struct gd_patch_pattern *)item(GD_SECTION_PATTERNS, sizeof(struct gd_patch_pattern), i))
#define COVER(i) ((uint32_t *)item(GD_SECTION_COVERS, sizeof(uint32_t), i))
#define EXCEPTION(i)                                                                               \
    ((struct gd_exception_entry *)item(GD_SECTION_EXCEPTIONS, sizeof(struct gd_exception_entry), i))
#define SCOPE_TEXT(i)                                                                              \
    ((struct gd_policy_text *)item(GD_SECTION_EXCEPTION_TEXTS, sizeof(struct gd_policy_text), i))
#define SCOPE_CLIENT(i)                                                                            \
    ((struct gd_exception_client *)item(GD_SECTION_EXCEPTION_CLIENTS,                              \
                                        sizeof(struct gd_exception_client), i))

static enum guard_rc load(struct guard_policy **policy, struct guard_err *err)
{
    gd_policy_seal(forged.bytes, forged.len, world.guardian.service, NULL);
    return guard_policy_load(policy, &world_heap, gd_span(forged.bytes, forged.len),
                             world.guardian.service, NULL, err);
}

static void refused(const char *what, int line)
{
    struct guard_policy *policy = NULL;
    struct guard_err err = {""};
    char wanted[128];
    enum guard_rc rc = load(&policy, &err);
    snprintf(wanted, sizeof(wanted), "the policy is malformed: %s", what);
    if (rc != GUARD_E_SYNTAX || strcmp(err.text, wanted) != 0)
        fail_msg("line %d: expected \"%s\", got %d \"%s\"", line, wanted, (int)rc, err.text);
    assert_null(policy);
}

#define REFUSED(change, what)                                                                      \
    do {                                                                                           \
        (void)anew();                                                                              \
        change;                                                                                    \
        refused(what, __LINE__);                                                                   \
    } while (0)

static void test_good(void **state)
{
    (void)state;
    struct guard_policy *policy = NULL;
    struct guard_err err = {""};
    (void)anew();
    assert_int_equal(load(&policy, &err), GUARD_OK);
    assert_int_equal(policy->patches.entry_count, 3);
    assert_true(policy->patches.pattern_count >= 2 && policy->patches.always.count >= 1);
    assert_int_equal(policy->exception_count, 2);
    guard_policy_unref(policy);
}

static void test_patches(void **state)
{
    (void)state;
    REFUSED(TEXT(0)->offset = UINT32_MAX, "a text of a patch");
    REFUSED(TEXT(0)->len = UINT32_MAX, "a text of a patch");
    REFUSED(PATCH(0)->id.offset = UINT32_MAX, "a patch");
    REFUSED(PATCH(0)->id.len = GUARD_PATCH_ID_MAX + 1, "a patch");
    REFUSED(PATCH(1)->title.offset = UINT32_MAX - 2, "a patch");
    REFUSED(PATCH(2)->fixed_in.len = UINT32_MAX, "a patch");
    REFUSED(PATCH(0)->endpoints.first++, "a patch");
    REFUSED(PATCH(0)->methods.count = UINT32_MAX, "a patch");
    REFUSED(PATCH(2)->media.count = GUARD_PATCH_LIST_MAX + 1, "a patch");
    REFUSED(PATCH(0)->nodes.count = 0, "a patch");
    REFUSED(PATCH(0)->nodes.count++, "a patch");
    REFUSED(PATCH(1)->nodes.first = 0, "a patch");
    REFUSED(PATCH(2)->nodes.count = UINT32_MAX, "a patch");
    REFUSED(PATCH(0)->part = GUARD_PATCH_RESPONSE + 1, "a patch");
    REFUSED(PATCH(0)->mode = GUARD_PATCH_ENFORCE + 1, "a patch");
    REFUSED(PATCH(0)->action = GUARD_PATCH_BLOCK + 1, "a patch");
}

/* Of P: all(any(contains, regex), not(equals), present). */
static void test_conditions(void **state)
{
    (void)state;
    enum { ROOT, ANY, CONTAINS, REGEX, NOT, EQUALS, PRESENT, LAST = PRESENT + 2 };
    (void)anew();
    assert_int_equal(NODE(REGEX)->op, GUARD_OPERATOR_REGEX);
    assert_int_equal(NODE(NOT)->op, GUARD_OPERATOR_NOT);
    REFUSED(NODE(ROOT)->size = 0, "a patch");
    REFUSED(NODE(ROOT)->size++, "a patch");
    REFUSED(NODE(ANY)->size = UINT32_MAX, "a patch");
    REFUSED(NODE(ANY)->size = 1, "a patch");
    REFUSED(NODE(CONTAINS)->size = 2, "a patch");
    REFUSED(NODE(NOT)->size = 3, "a patch");
    REFUSED(NODE(CONTAINS)->op = GUARD_OPERATORS, "a patch");
    REFUSED(NODE(PRESENT)->op = GUARD_OPERATOR_NOT, "a patch");
    REFUSED(NODE(CONTAINS)->view = GUARD_VIEW_RAW + 1, "a patch");
    REFUSED(NODE(CONTAINS)->places = UINT32_MAX, "a patch");
    REFUSED(NODE(CONTAINS)->likeness = UINT32_MAX, "a patch");
    REFUSED(NODE(CONTAINS)->texts.count = 0, "a patch");
    REFUSED(NODE(REGEX)->texts.count = 0, "a patch");
    REFUSED(NODE(PRESENT)->op = GUARD_OPERATOR_CHARSET, "a patch");
    REFUSED(NODE(PRESENT)->names.first = 0, "a patch");
    REFUSED(NODE(PRESENT)->names.count = UINT32_MAX, "a patch");
    REFUSED(NODE(LAST)->texts.count++, "a patch"); /* the only thing wrong: beside the section */
}

static void test_patterns(void **state)
{
    (void)state;
    REFUSED(PATTERN(1)->id = PATTERN(0)->id, "a pattern");
    REFUSED(PATTERN(0)->id = UINT64_MAX, "a pattern");
    REFUSED(PATTERN(0)->text.offset = UINT32_MAX, "a pattern");
    REFUSED(PATTERN(0)->text.len = GUARD_PATCH_EXPRESSION_MAX + 1, "a pattern");
    REFUSED(PATTERN(1)->patches.first = 0, "a pattern");
    REFUSED(PATTERN(0)->patches.count = UINT32_MAX, "a pattern");
    uint32_t last = anew()->sections[GD_SECTION_PATTERNS].count - 1;
    uint32_t covers = anew()->sections[GD_SECTION_COVERS].count;
    REFUSED(PATTERN(last)->patches.count = covers + 1, "a pattern");
    REFUSED(*COVER(0) = 3, "a patch of a pattern");
    REFUSED(*COVER(0) = UINT32_MAX, "a patch of a pattern");
    struct gd_policy_header *header = anew();
    header->patches_always.first = 0;
    refused("its ranges", __LINE__);
    header = anew();
    header->patches_always.count = UINT32_MAX;
    refused("its ranges", __LINE__);
    header = anew();
    header->patches_always.count = 0;
    refused("its ranges", __LINE__);
    header = anew();
    header->patch_places[1] = UINT32_MAX;
    refused("its ranges", __LINE__);
}

static void test_exceptions(void **state)
{
    (void)state;
    REFUSED(SCOPE_TEXT(0)->offset = UINT32_MAX, "a text of an exception");
    REFUSED(SCOPE_TEXT(0)->len = GUARD_EXCEPTION_NAME_MAX + 1, "a text of an exception");
    REFUSED(SCOPE_TEXT(0)->len = 0, "a text of an exception");
    REFUSED(SCOPE_CLIENT(0)->address_len = 17, "a client of an exception");
    REFUSED(SCOPE_CLIENT(0)->bits = 33, "a client of an exception");
    REFUSED(SCOPE_CLIENT(0)->bits = 0, "a client of an exception");
    REFUSED(EXCEPTION(0)->id.offset = UINT32_MAX, "an exception");
    REFUSED(EXCEPTION(0)->id.len = 0, "an exception");
    REFUSED(EXCEPTION(0)->endpoints.first++, "an exception");
    REFUSED(EXCEPTION(0)->methods.count = UINT32_MAX, "an exception");
    REFUSED(EXCEPTION(0)->names.count = GUARD_EXCEPTION_LIST_MAX + 1, "an exception");
    REFUSED(EXCEPTION(1)->patches.count++, "an exception");
    REFUSED(EXCEPTION(0)->clients.count++, "an exception");
    REFUSED(EXCEPTION(0)->expires_ms = 0, "an exception");
    REFUSED(EXCEPTION(0)->locations = UINT32_MAX, "an exception");
    REFUSED(EXCEPTION(0)->reserved = 1, "an exception");
    REFUSED(EXCEPTION(1)->patches.count = 0, "its ranges");
}

/* Fewer or more items than there are: where the next section begins no longer fits. */
static void test_cut(void **state)
{
    (void)state;
    for (int i = GD_SECTION_PATCHES; i < GD_SECTION_COUNT; i++) {
        struct gd_policy_header *header = anew();
        assert_true(header->sections[i].count > 0);
        header->sections[i].count += 2;
        refused("its sections", __LINE__);
        header = anew();
        header->sections[i].count = UINT32_MAX;
        refused("its sections", __LINE__);
        header = anew();
        header->sections[i].first += 8;
        refused("its sections", __LINE__);
        /* Emptied, with what follows moved to where it belongs then. */
        header = anew();
        uint32_t begin = header->sections[i].first;
        uint32_t end = i + 1 < GD_SECTION_COUNT ? header->sections[i + 1].first
                                                : (uint32_t)(forged.len - GD_POLICY_TRAILER);
        size_t whole = forged.len;
        memmove(forged.bytes + begin, forged.bytes + end, whole - end);
        header->sections[i].count = 0;
        for (int k = i + 1; k < GD_SECTION_COUNT; k++)
            header->sections[k].first -= end - begin;
        forged.len = whole - (end - begin);
        header->length = forged.len;
        uint8_t *shorter = malloc(forged.len);
        memcpy(shorter, forged.bytes, forged.len);
        uint8_t *kept = forged.bytes;
        forged.bytes = shorter;
        struct guard_policy *policy = NULL;
        struct guard_err err = {""};
        enum guard_rc rc = load(&policy, &err);
        forged.bytes = kept;
        forged.len = whole;
        free(shorter);
        if (rc != GUARD_E_SYNTAX || strstr(err.text, "the policy is malformed: ") == NULL)
            fail_msg("section %d emptied: %d \"%s\"", i, (int)rc, err.text);
    }
}

static void reply(struct guard_txn *txn)
{
    if (guard_txn_response_begin(txn, 500) != GUARD_OK)
        return;
    guard_txn_response_header(txn, S("Content-Type"), S("application/json"));
    (void)guard_txn_response_headers_end(txn);
    guard_txn_response_body(txn, S("{\"trace\":1}"));
    (void)guard_txn_response_end(txn);
}

static void ask(const struct guard_policy *policy)
{
    struct naive_matcher naive = {.policy = policy};
    struct guard_matcher matcher = {&naive, naive_scan, naive_find};
    struct guard_client client = {
        .unit = GUARD_UNIT_PREFIX, .address_len = 4, .address = {192, 0, 2, 7}};
    struct guard_txn_cfg cfg = {.policy = policy,
                                .service = world.guardian.service,
                                .hash_seed = 1,
                                .time_ms = 1000000,
                                .revision = S("8"),
                                .matcher = &matcher};
    struct guard_arena arena;
    struct guard_txn *txn = NULL;
    guard_arena_init(&arena, &world_heap, 256 * 1024);
    if (guard_txn_begin(&txn, &cfg, &arena) == GUARD_OK) {
        guard_txn_client(txn, &client);
        guard_txn_request(txn, S("GET"), S("/search?username=x12&a=%24%7Bjndi:x"), 11);
        guard_txn_header(txn, S("Host"), S("shop.test"));
        guard_txn_header(txn, S("User-Agent"), S("${jndi:x}"));
        (void)guard_txn_headers_end(txn);
        const struct guard_verdict *verdict = guard_txn_request_end(txn);
        char line[256];
        (void)guard_explain(verdict, guard_txn_method(txn), guard_txn_template(txn), line,
                            sizeof(line));
        reply(txn);
    }
    guard_arena_reset(&arena);
}

/* Every byte of these sections, and of what the head says of them. */
static void test_garbled(void **state)
{
    (void)state;
    static const uint8_t masks[] = {1, 0x80, 0xff};
    size_t first = ((const struct gd_policy_header *)(const void *)forged.good)
                       ->sections[GD_SECTION_PATCHES]
                       .first;
    size_t counts[2] = {0, 0}; /* refused, accepted */
    for (size_t i = 16; i < forged.len - GD_POLICY_TRAILER; i++) {
        if (i == sizeof(struct gd_policy_header))
            i = first;
        (void)anew();
        forged.bytes[i] ^= masks[i % 3];
        struct guard_policy *policy = NULL;
        struct guard_err err = {""};
        enum guard_rc rc = load(&policy, &err);
        counts[rc == GUARD_OK]++;
        if (rc != GUARD_OK) {
            assert_true(err.text[0] != '\0');
            continue;
        }
        ask(policy);
        guard_policy_unref(policy);
    }
    assert_true(counts[0] > 500);
    assert_true(counts[1] > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_patches),
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_exceptions), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_garbled),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
