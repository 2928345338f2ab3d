/* SPDX-License-Identifier: Apache-2.0 */
/* What is written of patches reads back as the same patches, whatever bytes their texts have; and
 * damaged documents are refused or read as something that does so, too. */
#include "common/file.h"
#include "common/guardian_patch.h"
#include "support/random.h"

#include <guard/likeness.h>
#include <guard/model.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 1000, ARENA_MAX = 64 << 20 };

struct making {
    struct test_random random;
    struct guard_arena arena;
    uint32_t conditions; /* left */
};

static void *get(struct making *making, size_t size)
{
    void *ptr = guard_arena_get(&making->arena, size);
    assert_non_null(ptr);
    memset(ptr, 0, size);
    return ptr;
}

static uint64_t below(struct making *making, uint64_t bound)
{
    return test_random_below(&making->random, bound);
}

static bool once_in(struct making *making, uint64_t n)
{
    return test_random_once_in(&making->random, n);
}

static struct guard_span span_of(struct making *making, const char *text)
{
    size_t len = strlen(text);
    uint8_t *copy = get(making, len + 1);
    memcpy(copy, text, len);
    return (struct guard_span){copy, len};
}

/* Bytes, characters of all lengths, and what YAML would fold, escape or take for syntax. */
static struct guard_span any_bytes(struct making *making, size_t max)
{
    static const char *const pieces[] = {
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "\xc2\x85",
        "\xc2\xa0",
        "\xc2",
        "\xe2\x80\xa8",
        "\xef\xbb\xbf",
        "\xef\xbf\xbf",
        "\xed\xa0\x80",
        "\\",
        "\"",
        "\n",
        "\r\n",
        "  ",
        "\\xe9",
        "\\N",
        ": ",
        " #",
        "- ",
        "'",
        "{",
        "%",
        "\t",
        "a",
        "\xc3",
        "\xc3\xbf",
        "\xe9",
        "${jndi:",
        "../",
    };
    uint8_t *bytes = get(making, max + 8);
    size_t len = 0;
    size_t wanted = 1 + below(making, once_in(making, 30) ? max : 12 < max ? 12 : max);
    while (len < wanted) {
        const char *piece = pieces[below(making, sizeof(pieces) / sizeof(pieces[0]))];
        if (once_in(making, 3))
            bytes[len++] = (uint8_t)below(making, 256);
        else if (len + strlen(piece) <= max) {
            memcpy(bytes + len, piece, strlen(piece));
            len += strlen(piece);
        } else
            break;
    }
    return (struct guard_span){bytes, len};
}

static const struct guard_span *byte_list(struct making *making, uint32_t *count)
{
    *count = 1 + (uint32_t)below(making, once_in(making, 40) ? GUARD_PATCH_LIST_MAX : 3);
    struct guard_span *spans = get(making, sizeof(*spans) * *count);
    for (uint32_t i = 0; i < *count; i++)
        spans[i] = any_bytes(making, once_in(making, 20) ? GUARD_PATCH_TEXT_MAX : 60);
    return spans;
}

static const struct guard_span *word_list(struct making *making, const char *const *words,
                                          size_t words_count, uint32_t *count)
{
    *count = (uint32_t)below(making, words_count + 1);
    struct guard_span *spans = get(making, sizeof(*spans) * *count + 1);
    for (uint32_t i = 0; i < *count; i++)
        spans[i] = span_of(making, words[i]);
    return spans;
}

/* Of a request, with names. */
static void make_places(struct making *making, struct guard_patch_condition *condition)
{
    static const uint32_t places[] = {GUARD_PLACE_QUERY, GUARD_PLACE_HEADER, GUARD_PLACE_COOKIE,
                                      GUARD_PLACE_FORM,  GUARD_PLACE_JSON,   GUARD_PLACE_MULTIPART,
                                      GUARD_PLACE_FILE};
    static const char *const names[] = {"id", "user*", "a.b[].c"};
    for (uint64_t left = below(making, 4); left > 0; left--)
        condition->places |= places[below(making, sizeof(places) / sizeof(places[0]))];
    if (condition->places == 0)
        return;
    condition->names = word_list(making, names, 3, &condition->name_count);
    if (condition->name_count == 0)
        condition->names = NULL;
    condition->on_names = once_in(making, 4);
    condition->view = (enum guard_patch_view)below(making, 3);
}

static void make_range(struct making *making, struct guard_patch_condition *condition)
{
    uint64_t which = below(making, 3);
    condition->min = which == 1 ? -1 : (int64_t)below(making, 100);
    condition->max = which == 0 ? -1 : 100 + (int64_t)below(making, 1000000000000);
}

static void make_texts(struct making *making, struct guard_patch_condition *condition)
{
    condition->texts = byte_list(making, &condition->text_count);
    condition->ignore_case = once_in(making, 3);
}

static void make_one_text(struct making *making, struct guard_patch_condition *condition)
{
    static const char *const expressions[] = {"a+b", "\\$\\{[^}]{0,64}(:|lower)", "\xff\\x00[\"]"};
    struct guard_span *span = get(making, sizeof(*span));
    *span = condition->op == GUARD_OPERATOR_REGEX ? span_of(making, expressions[below(making, 3)])
                                                  : span_of(making, "a-z0-9._");
    condition->texts = span;
    condition->text_count = 1;
}

static void make_condition(struct making *making, struct guard_patch_condition *condition,
                           unsigned depth);

static void make_children(struct making *making, struct guard_patch_condition *condition,
                          unsigned depth)
{
    uint32_t count = condition->op == GUARD_OPERATOR_NOT ? 1 : 1 + (uint32_t)below(making, 3);
    struct guard_patch_condition *children = get(making, sizeof(*children) * count);
    making->conditions -= count;
    condition->children = children;
    condition->child_count = count;
    for (uint32_t i = 0; i < count; i++)
        make_condition(making, &children[i], depth + 1);
}

static void make_condition(struct making *making, struct guard_patch_condition *condition,
                           unsigned depth)
{
    bool inner = depth < GUARD_PATCH_DEPTH_MAX && making->conditions > 8 &&
                 (depth == 1 ? once_in(making, 2) : once_in(making, 3));
    *condition = (struct guard_patch_condition){.min = -1, .max = -1};
    if (inner) {
        condition->op = (enum guard_patch_operator)below(making, 3);
        make_children(making, condition, depth);
        return;
    }
    condition->op = (enum guard_patch_operator)(
        GUARD_OPERATOR_PRESENT + below(making, GUARD_OPERATORS - GUARD_OPERATOR_PRESENT));
    make_places(making, condition);
    switch ((int)condition->op) {
    case GUARD_OPERATOR_PRESENT:
        if (once_in(making, 2))
            condition->min = condition->max = 0;
        break;
    case GUARD_OPERATOR_REGEX:
    case GUARD_OPERATOR_CHARSET:
        make_one_text(making, condition);
        break;
    case GUARD_OPERATOR_TYPE:
        condition->types = 1U << below(making, GUARD_TYPE_COUNT) | 1U << GUARD_TYPE_NULL;
        break;
    case GUARD_OPERATOR_LIKENESS:
        condition->likeness = 1 + (uint32_t)below(making, (1U << GUARD_LIKENESS_COUNT) - 1);
        break;
    case GUARD_OPERATOR_LENGTH:
    case GUARD_OPERATOR_COUNT:
    case GUARD_OPERATOR_RANGE:
        make_range(making, condition);
        break;
    case GUARD_OPERATOR_TRAVERSAL:
        break;
    default:
        make_texts(making, condition);
    }
}

static struct guard_patch make_patch(struct making *making, unsigned number)
{
    static const char *const references[] = {"https://example.org/a?b=c#d", "x"};
    static const char *const endpoints[] = {"/login", "/files/{*}", "/u/{}/x"};
    static const char *const methods[] = {"POST", "GET"};
    static const char *const media[] = {"application/json", "text/x"};
    struct guard_patch patch = {.mode = (enum guard_patch_mode)below(making, 3),
                                .action = (enum guard_patch_action)below(making, 2),
                                .mandatory = once_in(making, 2)};
    char id[32];
    snprintf(id, sizeof(id), "CVE-%u._x", number);
    patch.id = span_of(making, id);
    patch.title = span_of(making, "Names \"are\" looked up: \xc3\xa9\xe2\x82\xac # \\x");
    patch.references = word_list(making, references, 2, &patch.reference_count);
    if (once_in(making, 2))
        patch.expires_ms = 1 + below(making, UINT64_C(200000000000000));
    if (once_in(making, 2))
        patch.fixed_in = span_of(making, "2.17.1");
    if (once_in(making, 2))
        patch.author = span_of(making, "alice");
    patch.endpoints = word_list(making, endpoints, 3, &patch.endpoint_count);
    patch.methods = word_list(making, methods, 2, &patch.method_count);
    patch.media_types = word_list(making, media, 2, &patch.media_count);
    making->conditions = GUARD_PATCH_CONDITIONS_MAX - 1;
    make_condition(making, &patch.when, 1);
    return patch;
}

/* --- equality --- */

static void assert_spans(struct guard_span a, struct guard_span b)
{
    assert_int_equal(a.len, b.len);
    if (a.len > 0)
        assert_memory_equal(a.ptr, b.ptr, a.len);
}

static void assert_lists(const struct guard_span *a, uint32_t count_a, const struct guard_span *b,
                         uint32_t count_b)
{
    assert_int_equal(count_a, count_b);
    for (uint32_t i = 0; i < count_a; i++)
        assert_spans(a[i], b[i]);
}

static void assert_conditions(const struct guard_patch_condition *a,
                              const struct guard_patch_condition *b)
{
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->view, b->view);
    assert_int_equal(a->on_names, b->on_names);
    assert_int_equal(a->ignore_case, b->ignore_case);
    assert_int_equal(a->places, b->places);
    assert_int_equal(a->types, b->types);
    assert_int_equal(a->likeness, b->likeness);
    assert_int_equal(a->min, b->min);
    assert_int_equal(a->max, b->max);
    assert_lists(a->names, a->name_count, b->names, b->name_count);
    assert_lists(a->texts, a->text_count, b->texts, b->text_count);
    assert_int_equal(a->child_count, b->child_count);
    for (uint32_t i = 0; i < a->child_count; i++)
        assert_conditions(&a->children[i], &b->children[i]);
}

static void assert_patches(const struct guard_patch *a, const struct guard_patch *b)
{
    assert_spans(a->id, b->id);
    assert_spans(a->title, b->title);
    assert_lists(a->references, a->reference_count, b->references, b->reference_count);
    assert_int_equal(a->part, b->part);
    assert_int_equal(a->mode, b->mode);
    assert_int_equal(a->action, b->action);
    assert_int_equal(a->mandatory, b->mandatory);
    assert_int_equal(a->expires_ms, b->expires_ms);
    assert_spans(a->fixed_in, b->fixed_in);
    assert_spans(a->author, b->author);
    assert_spans(a->reason, b->reason);
    assert_lists(a->endpoints, a->endpoint_count, b->endpoints, b->endpoint_count);
    assert_lists(a->methods, a->method_count, b->methods, b->method_count);
    assert_lists(a->media_types, a->media_count, b->media_types, b->media_count);
    assert_conditions(&a->when, &b->when);
}

static void write_and_read(struct guard_arena *arena, const struct guard_patch *patches,
                           uint32_t count, bool as_list, struct guard_span *text)
{
    struct patch_list again;
    struct guard_err err = {""};
    enum guard_rc rc = as_list ? patches_write(patches, count, arena, text, &err)
                               : patch_write(patches, arena, text, &err);
    if (rc != GUARD_OK)
        fail_msg("%s", err.text);
    if (patches_parse(&again, "w", *text, arena, &err) != GUARD_OK)
        fail_msg("%s\n%.*s", err.text, (int)text->len, (const char *)text->ptr);
    assert_int_equal(again.count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_patches(&patches[i], &again.patches[i]);
}

static void damage(struct making *making, struct guard_span text, uint8_t *bytes)
{
    static const char alphabet[] = "abcdefxyzUNCM0123456789\"\\ \n-:\xc3\xa9\xe2\x80";
    memcpy(bytes, text.ptr, text.len);
    for (uint64_t times = 1 + below(making, 2); times > 0; times--)
        bytes[below(making, text.len)] = (uint8_t)alphabet[below(making, sizeof(alphabet) - 1)];
}

static void test_reads_what_it_writes(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct making making = {.random = test_random_start("patch_document")};
    unsigned read = 0;
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct guard_patch patches[3];
        struct patch_list damaged;
        struct guard_span text;
        uint32_t count = 1 + round % 3;
        guard_arena_init(&making.arena, &heap, ARENA_MAX);
        for (unsigned i = 0; i < count; i++)
            patches[i] = make_patch(&making, i);
        write_and_read(&making.arena, patches, count, count > 1 || round % 2 == 0, &text);
        uint8_t *bytes = get(&making, text.len);
        damage(&making, text, bytes);
        if (patches_parse(&damaged, "d", (struct guard_span){bytes, text.len}, &making.arena,
                          NULL) == GUARD_OK) {
            write_and_read(&making.arena, damaged.patches, damaged.count, true, &text);
            read++;
        }
        guard_arena_reset(&making.arena);
    }
    assert_true(read > ROUNDS / 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads_what_it_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
