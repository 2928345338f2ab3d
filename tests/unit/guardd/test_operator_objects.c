/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator keeps of a cluster: everyone finds a place, whatever one namespace does. */
#include "guardd/operator/objects.h"

#include "common/json_writer.h"
#include "common/kubernetes/json_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MIB = 1 << 20 };

/* A Guardian whose spec has a text of so many bytes. */
static void take(struct objects *objects, struct object *object, size_t bytes)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document_node *node;
    struct guard_err err;
    char *text = malloc(bytes + 256);
    assert_non_null(text);
    int len =
        snprintf(text, 256, "{\"metadata\":{\"uid\":\"u\",\"generation\":1},\"spec\":{\"a\":\"");
    memset(text + len, 'x', bytes);
    snprintf(text + (size_t)len + bytes, 8, "\"}}");
    guard_arena_init(&arena, &heap, 64 * (size_t)MIB);
    assert_int_equal(json_tree_parse(&node,
                                     (struct guard_span){(const uint8_t *)text, strlen(text)},
                                     &arena, &err),
                     GUARD_OK);
    (void)objects_take(objects, object, node);
    guard_arena_reset(&arena);
    free(text);
}

static struct object *get(struct objects *objects, const char *namespace, unsigned number)
{
    char name[32];
    snprintf(name, sizeof(name), "shop-%u", number);
    return objects_get(objects, namespace, name);
}

static void test_what_was_made_is_found(void **state)
{
    struct objects objects = {.list = NULL};
    (void)state;
    assert_null(objects_find(&objects, "prod", "shop-1"));
    struct object *first = get(&objects, "prod", 1);
    struct object *second = get(&objects, "test", 1);
    assert_non_null(first);
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(get(&objects, "prod", 1), first);
    assert_ptr_equal(objects_of_service(&objects, GUARD_SPAN_LITERAL("test.shop-1")), second);
    assert_null(objects_of_service(&objects, GUARD_SPAN_LITERAL("test.shop-2")));
    assert_null(objects_of_service(&objects, GUARD_SPAN_LITERAL("shop-1")));
    objects_free(&objects);
}

static void test_one_namespace_takes_no_place_of_others(void **state)
{
    struct objects objects = {.list = NULL};
    uint32_t made = 0, beyond = 0;
    (void)state;
    for (unsigned i = 0; i < 3 * OBJECTS_MAX; i++) {
        const struct object *object = get(&objects, "greedy", i);
        made += object != NULL;
        beyond += object != NULL && object->beyond;
    }
    assert_int_equal(made, OBJECTS_SHARE + OBJECTS_TOLD);
    assert_int_equal(beyond, OBJECTS_TOLD);
    assert_true(objects.left_out > 0);
    struct object *other = get(&objects, "prod", 0);
    assert_non_null(other);
    assert_false(other->beyond);
    /* A service that gates know is held to the floor in any case. */
    other = objects_know(&objects, "greedy", "known");
    assert_non_null(other);
    assert_false(other->beyond);
    objects_free(&objects);
}

static void test_what_is_gone_makes_room(void **state)
{
    struct objects objects = {.list = NULL};
    char namespace[16];
    (void)state;
    for (unsigned i = 0; i < OBJECTS_MAX; i++) {
        snprintf(namespace, sizeof(namespace), "n%u", i / 100);
        struct object *object = get(&objects, namespace, i);
        assert_non_null(object);
        take(&objects, object, 1);
        object->dirty = false;
    }
    assert_null(get(&objects, "late", 1));
    struct object *gone = get(&objects, "n3", 300);
    objects_gone(&objects, gone);
    assert_null(get(&objects, "late", 1)); /* what holds without it isn't written yet */
    gone->dirty = false;
    assert_non_null(get(&objects, "late", 1));
    assert_null(objects_find(&objects, "n3", "shop-300"));
    assert_non_null(objects_find(&objects, "n3", "shop-301"));
    /* The index doesn't fill up with what is gone. */
    for (unsigned i = 1; i < 16; i++) {
        gone = get(&objects, "late", i);
        assert_non_null(gone);
        objects_gone(&objects, gone);
        gone->dirty = false;
    }
    assert_null(objects_find(&objects, "late", "shop-1"));
    objects_free(&objects);
}

static void test_the_room_of_a_namespace_has_a_maximum(void **state)
{
    struct objects objects = {.list = NULL};
    const size_t each = OBJECTS_SHARE_BYTES / 8 - 64;
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        take(&objects, get(&objects, "greedy", i), each);
        assert_false(get(&objects, "greedy", i)->beyond);
    }
    struct object *last = get(&objects, "greedy", 8);
    take(&objects, last, each);
    assert_true(last->beyond);
    assert_null(last->spec);
    struct object *other = get(&objects, "prod", 0);
    take(&objects, other, each);
    assert_false(other->beyond);
    /* It fits when another one went. */
    assert_false(objects.waiting);
    objects_gone(&objects, get(&objects, "greedy", 0));
    assert_true(objects.waiting);
    take(&objects, last, each);
    assert_false(last->beyond);
    assert_true(last->spec_len > each);
    objects_free(&objects);
}

static void test_all_together_have_a_maximum(void **state)
{
    struct objects objects = {.bytes = OBJECTS_BYTES - 4 * (size_t)MIB}; /* those of others */
    char namespace[16];
    uint32_t beyond = 0;
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        snprintf(namespace, sizeof(namespace), "n%u", i);
        struct object *object = get(&objects, namespace, 0);
        take(&objects, object, MIB);
        beyond += object->beyond;
    }
    assert_int_equal(beyond, 3); /* a spec is a bit longer than its text */
    assert_true(objects.bytes <= OBJECTS_BYTES);
    objects_free(&objects);
}

static void take_text(struct objects *objects, struct object *object, const char *text)
{
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document_node *node;
    struct guard_err err;
    guard_arena_init(&arena, &heap, MIB);
    assert_int_equal(json_tree_parse(&node,
                                     (struct guard_span){(const uint8_t *)text, strlen(text)},
                                     &arena, &err),
                     GUARD_OK);
    (void)objects_take(objects, object, node);
    guard_arena_reset(&arena);
}

/* Whoever leads next knows what was asked for, and that there is one to delete. */
static void test_a_profile_is_asked_for_and_remembered(void **state)
{
    struct objects objects = {.list = NULL};
    struct object *object = get(&objects, "prod", 1);
    (void)state;
    take_text(&objects, object, "{\"metadata\":{\"uid\":\"u\"},\"spec\":{}}");
    assert_false(object->profile.wanted || object->profile.there);
    take_text(&objects, object,
              "{\"metadata\":{\"uid\":\"u\"},\"spec\":{\"profile\":\"OnChange\"}}");
    assert_true(object->profile.wanted);
    object->profile.written = 7;
    take_text(&objects, object,
              "{\"metadata\":{\"uid\":\"u\"},\"spec\":{\"profile\":\"OnChange\"},\"status\":"
              "{\"profile\":\"OnChange\"}}");
    assert_true(object->profile.there);
    assert_int_equal(object->profile.written, 7);
    /* Another one of the same name has none yet. */
    take_text(&objects, object,
              "{\"metadata\":{\"uid\":\"v\"},\"spec\":{\"profile\":\"OnChange\"}}");
    assert_int_equal(object->profile.written, 0);
    take_text(&objects, object, "{\"metadata\":{\"uid\":\"v\"},\"spec\":{\"profile\":\"Never\"}}");
    assert_false(object->profile.wanted);
    assert_true(object->profile.there);
    objects_free(&objects);
}

/* One that follows knows what leaders wrote last, and keeps what reached itself alone. */
static void test_what_another_leader_wrote_is_recalled_each_time(void **state)
{
    struct objects objects = {.recalls = true};
    struct object *object = get(&objects, "prod", 1);
    (void)state;
    take_text(&objects, object,
              "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"7\"},\"spec\":{},\"status\":{"
              "\"alerts\":4,"
              "\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"lastTransitionTime\":"
              "\"a\"}]}}");
    assert_string_equal(object->version, "7");
    assert_int_equal(object->alerts, 4);
    object->alerts += 2; /* told to us */
    const char *next =
        "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"8\"},\"spec\":{},\"status\":{"
        "\"alerts\":9,"
        "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"b\"}]}}";
    take_text(&objects, object, next);
    assert_string_equal(object->version, "8");
    assert_int_equal(object->alerts, 11);
    assert_string_equal(object->conditions[CONDITION_READY].status, "True");
    assert_string_equal(object->conditions[CONDITION_READY].since, "b");
    take_text(&objects, object, next); /* listed again: nothing is counted twice */
    assert_int_equal(object->alerts, 11);
    /* Whoever leads knows better how many there are than what was stored before it wrote. */
    objects.recalls = false;
    object->alerts_told = object->alerts;
    take_text(&objects, object, next);
    assert_int_equal(object->alerts, 11);
    /* Whatever a status says can be added to and written. */
    objects.recalls = true;
    take_text(&objects, object,
              "{\"metadata\":{\"uid\":\"u\"},\"spec\":{},\"status\":{\"alerts\":"
              "9223372036854775807}}");
    object->alerts += 3;
    take_text(&objects, object,
              "{\"metadata\":{\"uid\":\"u\"},\"spec\":{},\"status\":{\"alerts\":"
              "9223372036854775807}}");
    assert_true(object->alerts == (UINT64_C(1) << 53) + 3);
    /* Another one of that name has nothing of it. */
    take_text(&objects, object, "{\"metadata\":{\"uid\":\"v\"},\"spec\":{}}");
    assert_int_equal(object->alerts, 0);
    objects_free(&objects);
}

/* Since when a condition is what it is belongs to the version that the next status names: one that
 * was made and refused left nothing, and what isn't there any more doesn't count. */
static void test_since_when_is_of_the_version_that_is_named(void **state)
{
    struct objects objects = {.recalls = false}; /* we lead */
    struct object *object = get(&objects, "prod", 1);
    const struct condition_state *ready = &object->conditions[CONDITION_READY];
    (void)state;
    take_text(&objects, object,
              "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"7\"},\"spec\":{},\"status\":{"
              "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":"
              "\"a\"},{\"type\":\"Learned\",\"status\":\"True\",\"lastTransitionTime\":\"a\"}]}}");
    assert_string_equal(ready->since, "a");
    object->overtaken = false;
    take_text(&objects, object,
              "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"8\"},\"spec\":{},\"status\":{"
              "\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"lastTransitionTime\":"
              "\"b\"}]}}");
    assert_true(object->overtaken);
    assert_string_equal(object->version, "8");
    assert_string_equal(ready->status, "False");
    assert_string_equal(ready->since, "b");
    assert_null(object->conditions[CONDITION_LEARNED].status);
    take_text(&objects, object,
              "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"9\"},\"spec\":{}}");
    assert_null(ready->status);
    assert_string_equal(ready->since, "");
    objects_free(&objects);
}

static void take_path(struct objects *objects, struct object *object, const char *reason)
{
    char text[512];
    snprintf(text, sizeof(text),
             "{\"metadata\":{\"uid\":\"u\"},\"spec\":{},\"status\":{\"conditions\":[{\"type\":"
             "\"NotInPath\",\"status\":\"Unknown\",\"reason\":\"%s\",\"message\":\"words\"}]}}",
             reason);
    take_text(objects, object, text);
}

/* What isn't known yet is told in the same words by the next leader: nothing is written for it. */
static void test_why_nothing_is_known_is_recalled(void **state)
{
    struct objects objects = {.recalls = true};
    struct object *object = get(&objects, "prod", 1);
    (void)state;
    take_path(&objects, object, "NoExchangeYet");
    assert_null(object->canary.status);
    assert_string_equal(object->canary.message, "words");
    take_path(&objects, object, "ExchangesSeen"); /* which is for each to see */
    assert_null(object->canary.status);
    assert_string_equal(object->canary.message, "");
    take_path(&objects, object, "NoGate");
    assert_string_equal(object->canary.status, "Unknown");
    assert_string_equal(object->canary.message, "words");
    object->canary.ours = true; /* and ours are better known here */
    take_path(&objects, object, "NoExchangeYet");
    assert_string_equal(object->canary.status, "Unknown");
    objects_free(&objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_made_is_found),
        cmocka_unit_test(test_one_namespace_takes_no_place_of_others),
        cmocka_unit_test(test_what_is_gone_makes_room),
        cmocka_unit_test(test_the_room_of_a_namespace_has_a_maximum),
        cmocka_unit_test(test_all_together_have_a_maximum),
        cmocka_unit_test(test_a_profile_is_asked_for_and_remembered),
        cmocka_unit_test(test_what_another_leader_wrote_is_recalled_each_time),
        cmocka_unit_test(test_since_when_is_of_the_version_that_is_named),
        cmocka_unit_test(test_why_nothing_is_known_is_recalled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
