/* SPDX-License-Identifier: Apache-2.0 */
/* Review documents: what is written is read as the same, and what is wrong is refused with its
 * place and member. */
#include "common/file.h"

#include "common/review.h"
#include <guard/traffic.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(text) GUARD_SPAN_LITERAL(text)

static void arena_init(struct guard_arena *arena)
{
    struct guard_alloc heap = heap_alloc();
    guard_arena_init(arena, &heap, (size_t)16 << 20);
}

static const struct guard_review_element elements[] = {
    {.kind = GUARD_REVIEW_PATH, .template_text = TEXT("/users"), .text = TEXT("new")},
    {.kind = GUARD_REVIEW_PATH, .text = TEXT("")},
    {.kind = GUARD_REVIEW_METHOD, .template_text = TEXT("/users/{}"), .text = TEXT("PUT")},
    {.kind = GUARD_REVIEW_NAME,
     .method = TEXT("GET"),
     .template_text = TEXT("/users"),
     .location = GUARD_LOCATION_JSON,
     .name = TEXT("a.\"b\"[].\xc3\xa4\n")},
    {.kind = GUARD_REVIEW_NAME, .location = GUARD_LOCATION_HEADER, .name = TEXT("x-new")},
    {.kind = GUARD_REVIEW_CONTENT_TYPE,
     .status = 2,
     .method = TEXT("GET"),
     .template_text = TEXT("/"),
     .text = TEXT("text/html")},
    {.kind = GUARD_REVIEW_CHARACTER,
     .location = GUARD_LOCATION_QUERY,
     .name = TEXT("q"),
     .code = GUARD_CLASS_PUNCTUATION + 1},
    {.kind = GUARD_REVIEW_PAIR,
     .location = GUARD_LOCATION_QUERY,
     .name = TEXT("q"),
     .code = GUARD_CLASS_LOWER << 6 | (GUARD_CLASS_PUNCTUATION + 6)},
    {.kind = GUARD_REVIEW_TYPE, .location = GUARD_LOCATION_BODY, .code = GUARD_TYPE_EMAIL},
    {.kind = GUARD_REVIEW_LIKENESS, .location = GUARD_LOCATION_FORM, .code = 3},
    {.kind = GUARD_REVIEW_FAULT, .code = GUARD_LOCATION_QUERY << 8 | 1},
    {.kind = GUARD_REVIEW_LEAK, .status = 5, .code = 1},
};
enum { ELEMENTS = sizeof(elements) / sizeof(elements[0]) };

static void test_round_trip(void **state)
{
    (void)state;
    struct guard_arena arena;
    struct guard_review_entry entries[ELEMENTS];
    struct review_note notes[ELEMENTS];
    struct review_document document = {TEXT("shop"), entries, notes, ELEMENTS}, again;
    struct guard_span text;
    struct guard_err err;
    arena_init(&arena);
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        entries[i] = (struct guard_review_entry){elements[i], i % 2 == 0 ? GUARD_REVIEW_ACCEPTED
                                                                         : GUARD_REVIEW_REFUSED};
        notes[i] = (struct review_note){TEXT("tom"), TEXT("it's \"new\"\\"), 1700000000000 + i};
    }
    assert_int_equal(review_write(&document, &arena, &text, &err), GUARD_OK);
    assert_int_equal(review_parse(&again, "r", text, &arena, &err), GUARD_OK);
    assert_int_equal(again.count, ELEMENTS);
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        assert_true(review_same(&again.entries[i].element, &elements[i]));
        assert_int_equal(again.entries[i].decision, entries[i].decision);
        assert_int_equal(again.notes[i].time_ms, notes[i].time_ms);
        assert_int_equal(again.notes[i].why.len, notes[i].why.len);
    }
    document.count = 0;
    assert_int_equal(review_write(&document, &arena, &text, &err), GUARD_OK);
    assert_int_equal(review_parse(&again, "r", text, &arena, &err), GUARD_OK);
    assert_int_equal(again.count, 0);
    guard_arena_reset(&arena);
}

static void test_what_cant_be_written_is_refused(void **state)
{
    (void)state;
    static char name[REVIEW_TEXT_MAX + 1];
    const struct guard_span names[] = {{(const uint8_t *)"a\xff", 2},
                                       {(const uint8_t *)"a\0b", 3},
                                       {(uint8_t *)name, sizeof(name)}};
    memset(name, 'a', sizeof(name));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct guard_arena arena;
        struct guard_err err = {.text = ""};
        struct guard_span text;
        struct guard_review_entry entry = {elements[4], GUARD_REVIEW_ACCEPTED};
        struct review_note note = {TEXT("tom"), TEXT("x"), 1};
        struct review_document document = {TEXT("shop"), &entry, &note, 1};
        entry.element.name = names[i];
        arena_init(&arena);
        assert_int_not_equal(review_write(&document, &arena, &text, &err), GUARD_OK);
        assert_true(err.text[0] != '\0');
        guard_arena_reset(&arena);
    }
}

#define HEAD "{\"service\": \"shop\",\n  \"decisions\": [\n    "
#define NAMED "\"kind\": \"name\", \"in\": \"query\", \"name\": \"q\""

static void test_errors_name_place_and_member(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *complaint;
    } cases[] = {
        {"{", "r.json:"},
        {"[]", "r.json:1:1: must be an object"},
        {"{\"decisions\": []}", "needs \"service\""},
        {"{\"service\": \"\"}", "r.json:1:13: service: must have 1 to 128 bytes"},
        {"{\"service\": \"s\", \"kind\": \"Guardian\"}", "kind: must be Review"},
        {"{\"service\": \"s\", \"apiVersion\": \"guard/v9\"}", "apiVersion: must be"},
        {"{\"service\": \"s\", \"mode\": \"block\"}", "unknown member \"mode\""},
        {"{\"service\": \"s\", \"decisions\": {}}", "decisions: must be a list"},
        {HEAD "1]}", "r.json:3:5: decisions: each must be an object (at decisions[0])"},
        {HEAD "{\"decision\": \"allow\", " NAMED "}]}",
         "r.json:3:18: decision: must be accept or refuse (at decisions[0].decision)"},
        {HEAD "{" NAMED "}]}", "decision: must be accept or refuse"},
        {HEAD "{\"decision\": \"accept\"}]}", "kind: must be path"},
        {HEAD "{\"decision\": \"accept\", \"kind\": \"name\"}]}", "in: is needed"},
        {HEAD "{\"decision\": \"accept\", \"kind\": \"name\", \"in\": \"client\"}]}",
         "in: must be path, query"},
        {HEAD "{\"decision\": \"accept\", \"kind\": \"method\", \"in\": \"query\", \"element\": "
              "\"a\"}]}",
         "in: doesn't belong"},
        {HEAD
         "{\"decision\": \"accept\", \"kind\": \"method\", \"name\": \"q\", \"element\": \"a\"}]}",
         "name: doesn't belong"},
        {HEAD "{\"decision\": \"accept\", \"kind\": \"method\"}]}", "element: is needed"},
        {HEAD "{\"decision\": \"accept\", \"kind\": \"character\", \"in\": \"query\", \"element\": "
              "\"==\"}]}",
         "element: \"==\" is no character (at decisions[0].element)"},
        {HEAD "{\"decision\": \"accept\", " NAMED ", \"element\": \"x\"}]}", "a name has none"},
        {HEAD "{\"decision\": \"accept\", " NAMED ", \"response\": \"9xx\"}]}",
         "response: must be"},
        {HEAD "{\"decision\": \"accept\", " NAMED ", \"time_ms\": \"soon\"}]}", "time_ms: must be"},
        {HEAD "{\"decision\": \"accept\", " NAMED ", \"id\": \"000000000000\"}]}",
         "id: what is said"},
        {HEAD "{\"decision\": \"accept\", " NAMED ", \"who\": \"x\"}]}", "unknown member \"who\""},
        {HEAD "{\"decision\": \"accept\", " NAMED ", \"by\": [1]}]}", "by: must be a text"},
        {HEAD "{\"decision\": \"accept\", " NAMED "},\n{\"decision\": \"refuse\", " NAMED "}]}",
         "r.json:4:1: decisions: this was decided before"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_arena arena;
        struct guard_err err = {.text = ""};
        struct review_document document;
        struct guard_span text = {(const uint8_t *)cases[i].text, strlen(cases[i].text)};
        arena_init(&arena);
        assert_int_not_equal(review_parse(&document, "r.json", text, &arena, &err), GUARD_OK);
        if (strstr(err.text, cases[i].complaint) == NULL)
            fail_msg("\"%s\" isn't in \"%s\"", cases[i].complaint, err.text);
        guard_arena_reset(&arena);
    }
}

static void test_too_many(void **state)
{
    (void)state;
    static char text[256 * 1024];
    size_t len = (size_t)snprintf(text, sizeof(text), HEAD);
    for (int i = 0; i <= GUARD_REVIEW_ENTRIES_MAX; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len,
                             "%s{\"decision\": \"accept\", \"kind\": \"name\", \"in\": \"query\", "
                             "\"name\": \"f%d\"}",
                             i > 0 ? "," : "", i);
    (void)snprintf(text + len, sizeof(text) - len, "]}");
    struct guard_arena arena;
    struct guard_err err;
    struct review_document document;
    arena_init(&arena);
    assert_int_equal(review_parse(&document, "r",
                                  (struct guard_span){(uint8_t *)text, strlen(text)}, &arena, &err),
                     GUARD_E_LIMIT);
    guard_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_what_cant_be_written_is_refused),
        cmocka_unit_test(test_errors_name_place_and_member),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
