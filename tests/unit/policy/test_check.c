/* SPDX-License-Identifier: Apache-2.0 */
/* What a gate must never enforce is refused by name: truncated, garbled, foreign, replayed,
 * unsigned, of another version. */
#include "unit/policy/world.h"

#include "policy/format.h"
#include "policy/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct world world;
static uint8_t public_key[GUARD_KEY_BYTES];
static uint8_t secret[64];

static struct guard_span compile(bool sign)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err = {""};
    enum guard_rc rc = guard_policy_compile(&bytes, &len, &world.model, &world.guardian, &world.cfg,
                                            sign ? secret : NULL, &err);
    if (rc != GUARD_OK)
        fail_msg("%s", err.text);
    return (struct guard_span){bytes, len};
}

static void release(struct guard_span bytes)
{
    free((void *)(uintptr_t)bytes.ptr);
}

static enum guard_rc check_as(struct guard_span bytes, const char *service, const uint8_t *key,
                              uint64_t generation_min)
{
    struct guard_policy_check *check = NULL;
    struct guard_err err = {""};
    enum guard_rc rc = guard_policy_check_begin(&check, &world_heap, bytes, world_span(service),
                                                key, generation_min);
    assert_int_equal(rc, GUARD_OK);
    int steps = 0;
    for (bool done = false; rc == GUARD_OK && !done; steps++)
        rc = guard_policy_check_step(check, &done, &err);
    assert_true(steps < 1000);
    if (rc != GUARD_OK) {
        assert_true(err.text[0] != '\0');
        bool done = false;
        assert_int_equal(guard_policy_check_step(check, &done, &err), rc); /* and stays refused */
        assert_false(done);
    }
    guard_policy_check_free(check);
    return rc;
}

static enum guard_rc check(struct guard_span bytes)
{
    return check_as(bytes, "shop", public_key, 5);
}

static int setup(void **state)
{
    (void)state;
    uint8_t seed[GUARD_KEY_BYTES] = {1, 2, 3};
    guard_keypair(public_key, secret, seed);
    world_init(&world);
    return 0;
}

static void test_accepted(void **state)
{
    (void)state;
    struct guard_span bytes = compile(true);
    assert_int_equal(check(bytes), GUARD_OK);
    assert_int_equal(check_as(bytes, "", NULL, 0), GUARD_OK);
    struct guard_policy *policy = NULL;
    assert_int_equal(guard_policy_open(&policy, &world_heap, bytes), GUARD_OK);
    struct guard_policy_info info;
    guard_policy_info(policy, &info);
    assert_memory_equal(info.service.ptr, "shop", 4);
    assert_int_equal(info.generation, 5);
    assert_int_equal(info.created_ms, 1700000000000);
    assert_int_equal(info.mode, GUARD_MODE_BLOCK);
    assert_true(info.alpha > 0.00099 && info.alpha < 0.00101);
    assert_false(info.fail_closed);
    assert_false(info.rollback);
    guard_policy_ref(policy);
    guard_policy_unref(policy);
    guard_policy_unref(policy);
    release(bytes);
}

/* Compiling is a function: the same inputs give the same bytes. */
static void test_deterministic(void **state)
{
    (void)state;
    struct guard_span a = compile(true);
    struct guard_span b = compile(true);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.ptr, b.ptr, a.len);
    release(a);
    release(b);
}

static void test_identity(void **state)
{
    (void)state;
    struct guard_span bytes = compile(true);
    struct guard_span unsigned_bytes = compile(false);
    uint8_t other[GUARD_KEY_BYTES], other_secret[64], seed[GUARD_KEY_BYTES] = {9};
    guard_keypair(other, other_secret, seed);
    assert_int_equal(check_as(bytes, "shop2", public_key, 0), GUARD_E_FOREIGN);
    assert_int_equal(check_as(bytes, "shop", other, 0), GUARD_E_SIGNATURE);
    assert_int_equal(check_as(unsigned_bytes, "shop", public_key, 0), GUARD_E_SIGNATURE);
    assert_int_equal(check_as(unsigned_bytes, "shop", NULL, 0), GUARD_OK);
    assert_int_equal(check_as(bytes, "shop", public_key, 6), GUARD_E_REPLAY);
    release(bytes);
    release(unsigned_bytes);
}

/* A rollback replaces the generations that it names, and no later one. */
static void test_rollback(void **state)
{
    (void)state;
    world.cfg.replaces = 8;
    struct guard_span bytes = compile(true);
    assert_int_equal(check_as(bytes, "shop", public_key, 8), GUARD_OK);
    assert_int_equal(check_as(bytes, "shop", public_key, 9), GUARD_E_REPLAY);
    world.cfg.replaces = 0;
    release(bytes);
}

/* A valid signature can't be carried to another generation or service with the same content. */
static void test_resealed(void **state)
{
    (void)state;
    struct guard_span bytes = compile(true);
    uint8_t *garbled = malloc(bytes.len);
    memcpy(garbled, bytes.ptr, bytes.len);
    struct gd_policy_header *header = (void *)garbled;
    uint8_t signature[GUARD_SIGNATURE_BYTES];
    memcpy(signature, garbled + bytes.len - sizeof(signature), sizeof(signature));
    header->generation = 99;
    gd_policy_seal(garbled, bytes.len, world.guardian.service, NULL);
    memcpy(garbled + bytes.len - sizeof(signature), signature, sizeof(signature));
    assert_int_equal(check((struct guard_span){garbled, bytes.len}), GUARD_E_SIGNATURE);
    free(garbled);
    release(bytes);
}

static void test_truncated(void **state)
{
    (void)state;
    struct guard_span bytes = compile(true);
    for (size_t len = 0; len < bytes.len; len += len < 600 ? 1 : 97) {
        uint8_t *copy = malloc(len + 1);
        memcpy(copy, bytes.ptr, len);
        assert_int_equal(check((struct guard_span){copy, len}), GUARD_E_SYNTAX);
        free(copy);
    }
    uint8_t *longer = calloc(1, bytes.len + 8);
    memcpy(longer, bytes.ptr, bytes.len);
    assert_int_equal(check((struct guard_span){longer, bytes.len + 8}), GUARD_E_SYNTAX);
    free(longer);
    release(bytes);
}

/* The smallest policy, so that every byte can be tried. */
static struct guard_span small_policy(void)
{
    world.cfg.configured_only = true;
    struct guard_span bytes = compile(true);
    world.cfg.configured_only = false;
    return bytes;
}

static void test_each_byte_flipped(void **state)
{
    (void)state;
    struct guard_span bytes = small_policy();
    assert_true(bytes.len < 2048);
    uint8_t *garbled = malloc(bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        memcpy(garbled, bytes.ptr, bytes.len);
        garbled[i] ^= (uint8_t)(1 << (i % 8));
        enum guard_rc wanted = GUARD_E_CHECKSUM;
        if (i < 4 || (i >= 8 && i < 16))
            wanted = GUARD_E_SYNTAX;
        else if (i < 8)
            wanted = GUARD_E_VERSION;
        else if (i >= bytes.len - GUARD_SIGNATURE_BYTES)
            wanted = GUARD_E_SIGNATURE;
        assert_int_equal(check((struct guard_span){garbled, bytes.len}), wanted);
    }
    free(garbled);
    release(bytes);
}

/* Whoever has the key can still write nonsense: with the digest repaired, the structure is refused
 * or harmless. */
static void test_structure_garbled(void **state)
{
    (void)state;
    struct guard_span bytes = compile(false);
    uint8_t *garbled = malloc(bytes.len);
    size_t refused = 0, accepted = 0;
    static const uint8_t masks[] = {1, 0x80, 0xff};
    for (size_t i = 16; i < bytes.len - GD_POLICY_TRAILER; i++) {
        memcpy(garbled, bytes.ptr, bytes.len);
        garbled[i] ^= masks[i % 3];
        gd_policy_seal(garbled, bytes.len, world.guardian.service, NULL);
        struct guard_policy *policy = NULL;
        struct guard_err err = {""};
        struct guard_span span = {garbled, bytes.len};
        enum guard_rc rc =
            guard_policy_load(&policy, &world_heap, span, (struct guard_span){NULL, 0}, NULL, &err);
        refused += rc != GUARD_OK;
        if (rc != GUARD_OK) {
            assert_true(rc == GUARD_E_SYNTAX || rc == GUARD_E_LIMIT);
            continue;
        }
        accepted++;
        static const struct ask asks[] = {
            {"GET", "/search?username=tom+or+1%3D1&sort=x&y=1", NULL, NULL, NULL},
            {"POST", "/orders", NULL,
             "{\"item\":\"chair\",\"address\":{\"zip\":\"1'\"},\"tags\":[\"a\"]}", NULL}};
        struct answer answer;
        world_ask(&answer, policy, &asks[i % 2]);
        world_answer_free(&answer);
        guard_policy_unref(policy);
    }
    assert_true(refused > 1000);
    assert_true(accepted > 1000);
    free(garbled);
    release(bytes);
}

/* A rank without a row would read beside the field's rows. */
static void test_rank(void **state)
{
    (void)state;
    struct guard_span bytes = compile(false);
    uint8_t *garbled = malloc(bytes.len);
    const struct gd_policy_header *header = (const void *)bytes.ptr;
    for (uint32_t i = 0; i < header->sections[GD_SECTION_FIELDS].count; i++) {
        memcpy(garbled, bytes.ptr, bytes.len);
        struct gd_policy_field *field =
            (struct gd_policy_field *)(void *)(garbled +
                                               header->sections[GD_SECTION_FIELDS].first) +
            i;
        field->rank[GUARD_CLASS_COUNT - 1] = field->row_count;
        gd_policy_seal(garbled, bytes.len, world.guardian.service, NULL);
        assert_int_equal(check_as((struct guard_span){garbled, bytes.len}, "shop", NULL, 0),
                         GUARD_E_SYNTAX);
    }
    free(garbled);
    release(bytes);
}

static void test_misaligned(void **state)
{
    (void)state;
    struct guard_policy_check *check = NULL;
    uint8_t bytes[16] = {0};
    struct guard_span span = {bytes + (((uintptr_t)bytes & 7) == 1 ? 2 : 1), 8};
    assert_int_equal(
        guard_policy_check_begin(&check, &world_heap, span, (struct guard_span){NULL, 0}, NULL, 0),
        GUARD_E_RANGE);
    assert_null(check);
}

static unsigned freed;

static void count_free(void *ctx)
{
    (void)ctx;
    freed++;
}

static void test_references(void **state)
{
    (void)state;
    struct guard_span bytes = compile(false);
    struct guard_policy *policy = NULL;
    assert_int_equal(guard_policy_open(&policy, &world_heap, bytes), GUARD_OK);
    guard_policy_on_free(policy, count_free, NULL);
    guard_policy_ref(policy);
    guard_policy_unref(policy);
    assert_int_equal(freed, 0);
    guard_policy_unref(policy);
    assert_int_equal(freed, 1);
    release(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_rollback),
        cmocka_unit_test(test_resealed),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_each_byte_flipped),
        cmocka_unit_test(test_structure_garbled),
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_misaligned),
        cmocka_unit_test(test_references),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
