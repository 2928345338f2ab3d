/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a watch as kube-apiserver sends them, in pieces of every size; and what it never should
 * send. */
#include "common/document_members.h"
#include "common/file.h"
#include "common/kubernetes/json_tree.h"
#include "common/kubernetes/moment.h"
#include "common/kubernetes/watch_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* As kube-apiserver 1.20.2 answered, but for names. */
static const char transcript[] =
    "{\"type\":\"ADDED\",\"object\":{\"apiVersion\":\"guard.security/v1alpha1\",\"kind\":"
    "\"Guardian\",\"metadata\":{\"generation\":1,\"managedFields\":[{\"fieldsV1\":{\"f:spec\":{}}}]"
    ","
    "\"name\":\"shop\",\"namespace\":\"a\",\"resourceVersion\":\"272\",\"uid\":\"9f7e06aa\"},"
    "\"spec\":{\"patches\":[{\"id\":\"\\u003c\"}]}}}\n"
    "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"shop\",\"resourceVersion\":"
    "\"273\"},\"spec\":{\"control\":{\"support\":4}}}}\n"
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Guardian\",\"metadata\":{\"resourceVersion\":"
    "\"300\",\"creationTimestamp\":null},\"spec\":null}}\n"
    "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"shop\",\"resourceVersion\":"
    "\"301\"}}}\n"
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
    "\"status\":\"Failure\",\"message\":\"too old resource version: 1 (300)\",\"reason\":"
    "\"Expired\",\"code\":410}}\n";

struct seen {
    char text[512];
    uint32_t stop_at; /* an event, from 1; 0: never */
    uint32_t count;
};

static bool note(void *ctx, const struct watch_event *event)
{
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    const struct document_node *metadata = member_of(event->object, "metadata");
    if (metadata != NULL)
        assert_null(member_of(metadata, "managedFields"));
    snprintf(seen->text + len, sizeof(seen->text) - len, "%d %s %d\n", (int)event->kind,
             event->resource_version, (int)event->code);
    return ++seen->count != seen->stop_at;
}

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static enum guard_rc feed(const char *text, struct seen *seen, struct guard_err *err)
{
    struct watch_stream stream = {.line = NULL};
    enum guard_rc rc = watch_stream_feed(&stream, span_of(text), note, seen, err);
    watch_stream_reset(&stream);
    return rc;
}

static void test_pieces_of_every_size(void **state)
{
    (void)state;
    for (size_t size = 1; size <= sizeof(transcript); size++) {
        struct watch_stream stream = {.line = NULL};
        struct seen seen = {.text = ""};
        struct guard_err err;
        for (size_t at = 0; at < sizeof(transcript) - 1; at += size) {
            size_t left = sizeof(transcript) - 1 - at;
            const struct guard_span piece = {(const uint8_t *)transcript + at,
                                             left < size ? left : size};
            assert_int_equal(watch_stream_feed(&stream, piece, note, &seen, &err), GUARD_OK);
        }
        watch_stream_reset(&stream);
        assert_string_equal(seen.text, "0 272 0\n1 273 0\n3 300 0\n2 301 0\n4  410\n");
    }
}

static void test_who_takes_may_end_it(void **state)
{
    struct seen seen = {.text = "", .stop_at = 2};
    struct guard_err err;
    (void)state;
    assert_int_equal(feed(transcript, &seen, &err), GUARD_E_STATE);
    assert_int_equal(seen.count, 2);
}

static void test_what_is_no_event_is_refused(void **state)
{
    static const char *const texts[] = {
        "{}\n",
        "[]\n",
        "1\n",
        "{\"type\":\"ADDED\"}\n",
        "{\"type\":\"ADDED\",\"object\":[]}\n",
        "{\"type\":\"OTHER\",\"object\":{}}\n",
        "{\"type\":\"ADDED\",\"object\":{}\n",
        "{\"type\":\"ADDED\",\"object\":{\"a\":nul}}\n",
        "{\"type\":\"ADDED\",\"object\":{}} x\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct seen seen = {.text = ""};
        struct guard_err err;
        assert_int_equal(feed(texts[i], &seen, &err), GUARD_E_SYNTAX);
        assert_int_equal(seen.count, 0);
    }
}

static void test_a_line_has_a_maximum(void **state)
{
    struct watch_stream stream = {.line = NULL};
    struct seen seen = {.text = ""};
    struct guard_err err;
    size_t len = WATCH_LINE_MAX + 1;
    uint8_t *text = malloc(len);
    (void)state;
    assert_non_null(text);
    memset(text, ' ', len);
    assert_int_equal(
        watch_stream_feed(&stream, (struct guard_span){text, len - 1}, note, &seen, &err),
        GUARD_OK);
    assert_int_equal(watch_stream_feed(&stream, (struct guard_span){text, 1}, note, &seen, &err),
                     GUARD_E_LIMIT);
    watch_stream_reset(&stream);
    free(text);
}

static void test_trees_are_bounded(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_err err;
    struct document_node *root;
    char deep[2 * JSON_TREE_DEPTH_MAX + 8];
    (void)state;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    memset(deep, '[', JSON_TREE_DEPTH_MAX + 1);
    memset(deep + JSON_TREE_DEPTH_MAX + 1, ']', JSON_TREE_DEPTH_MAX + 1);
    struct guard_span text = {(const uint8_t *)deep, 2 * (JSON_TREE_DEPTH_MAX + 1)};
    assert_int_equal(json_tree_parse(&root, text, &arena, &err), GUARD_OK);
    const struct document_node *node = root;
    for (uint32_t depth = 1; depth <= JSON_TREE_DEPTH_MAX; depth++) {
        assert_int_equal(node->kind, DOCUMENT_SEQUENCE);
        node = node->first;
    }
    assert_int_equal(node->kind, DOCUMENT_SCALAR);
    assert_string_equal((const char *)node->text.ptr, "nested too deeply");
    text = (struct guard_span){text.ptr + 1, text.len - 2};
    assert_int_equal(json_tree_parse(&root, text, &arena, &err), GUARD_OK);
    guard_arena_reset(&arena);
    guard_arena_init(&arena, &heap, 1); /* no memory at all */
    assert_int_equal(json_tree_parse(&root, text, &arena, &err), GUARD_E_NOMEM);
    guard_arena_reset(&arena);
}

/* "[{"spec":[0,…]},{"spec":[0]}]" of that many values. */
static struct guard_span list_of(uint32_t values, const char *nested)
{
    size_t cap = 2 * (size_t)values + strlen(nested) + 256;
    char *text = malloc(cap);
    assert_non_null(text);
    size_t len = (size_t)snprintf(text, cap, "{\"items\":[{\"spec\":[%s", nested);
    for (uint32_t i = 0; i < values; i++) {
        text[len++] = '0';
        text[len++] = ',';
    }
    len += (size_t)snprintf(text + len, cap - len, "0]},{\"spec\":[7]}],\"metadata\":{}}");
    return (struct guard_span){(const uint8_t *)text, len};
}

static void test_an_object_keeps_no_other_from_being_read(void **state)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    char deep[2 * 60 + 2] = "";
    (void)state;
    memset(deep, '[', 60);
    memset(deep + 60, ']', 60);
    deep[120] = ',';
    const struct {
        struct guard_span text;
        bool whole;
    } lists[] = {
        {list_of(JSON_TREE_PART_NODES - 2, ""), true},
        {list_of(JSON_TREE_PART_NODES - 1, ""), false},
        {list_of(JSON_TREE_NODES_MAX, ""), false},
        {list_of(1, deep), true},
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct guard_arena arena;
        struct document_node *root;
        guard_arena_init(&arena, &heap, (size_t)64 << 20);
        assert_int_equal(json_tree_parse(&root, lists[i].text, &arena, &err), GUARD_OK);
        const struct document_node *items = member_of(root, "items");
        assert_int_equal(items->count, 2);
        assert_int_equal(member_of(items->first, "spec")->kind,
                         lists[i].whole ? DOCUMENT_SEQUENCE : DOCUMENT_SCALAR);
        const struct document_node *other = member_of(items->first->next, "spec");
        assert_int_equal(other->kind, DOCUMENT_SEQUENCE);
        assert_string_equal((const char *)other->first->text.ptr, "7");
        assert_non_null(member_of(root, "metadata"));
        guard_arena_reset(&arena);
        free((void *)lists[i].text.ptr);
    }
}

static void test_moments(void **state)
{
    char text[KUBERNETES_MOMENT_CAP];
    (void)state;
    kubernetes_moment(text, 1795850880265, true);
    assert_string_equal(text, "2026-11-28T07:28:00.265000Z");
    kubernetes_moment(text, 1795850880000, true);
    assert_string_equal(text, "2026-11-28T07:28:00.000000Z");
    kubernetes_moment(text, 1795850880265, false);
    assert_string_equal(text, "2026-11-28T07:28:00Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_of_every_size),
        cmocka_unit_test(test_who_takes_may_end_it),
        cmocka_unit_test(test_what_is_no_event_is_refused),
        cmocka_unit_test(test_a_line_has_a_maximum),
        cmocka_unit_test(test_trees_are_bounded),
        cmocka_unit_test(test_an_object_keeps_no_other_from_being_read),
        cmocka_unit_test(test_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
