/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that hold for whom they say, and an authority's way from one to the next: trusted
 * before it signs, and the one before for as long as it is needed. */
#include "common/kubernetes/authority.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/kubernetes/json_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HOUR = 3600 * 1000, DAY = 24 * HOUR };
static const uint64_t begin = UINT64_C(1790000000000);

static struct authority_cfg cfg_of(const char *names)
{
    struct authority_cfg cfg = {.valid_ms = 90 * (uint64_t)DAY, .overlap_ms = 300000};
    struct guard_err err;
    assert_int_equal(certificate_names_read(&cfg.names, names, &err), GUARD_OK);
    return cfg;
}

static bool step(struct authority *authority, const struct authority_cfg *cfg, uint64_t now_ms,
                 uint64_t trusted_ms)
{
    struct guard_err err;
    bool changed = false;
    assert_int_equal(authority_step(authority, cfg, now_ms, trusted_ms, &changed, &err), GUARD_OK);
    return changed;
}

static unsigned certificates_in(const char *bundle)
{
    unsigned count = 0;
    for (const char *at = bundle; (at = strstr(at, "-----BEGIN CERTIFICATE")) != NULL; at++)
        count++;
    return count;
}

static void names_are_names(void **state)
{
    struct certificate_names names;
    struct guard_err err;
    (void)state;
    assert_int_equal(certificate_names_read(&names, "a.b.svc,10.0.0.1,::1", &err), GUARD_OK);
    assert_int_equal(names.count, 3);
    static const char *const wrong[] = {
        "", "a,", "a b", "a,,b", "x:y", "a\nDNS:b", "1,2,3,4,5,6,7,8,9"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(certificate_names_read(&names, wrong[i], &err), GUARD_E_RANGE);
}

static void a_certificate_serves_for_its_names_and_its_authority(void **state)
{
    struct certificate authority, other, server;
    const struct authority_cfg cfg = cfg_of("guard-webhook.guard-system.svc,127.0.0.1");
    const struct authority_cfg another = cfg_of("other.svc");
    struct guard_err err;
    uint64_t ends_ms;
    (void)state;
    assert_int_equal(authority_make(&authority, "a", begin, 4 * (uint64_t)DAY, &err), GUARD_OK);
    assert_int_equal(authority_make(&other, "a", begin, DAY, &err), GUARD_OK);
    assert_int_equal(certificate_make(&server, &authority, &cfg.names, begin, DAY, &err), GUARD_OK);
    assert_true(certificate_serves(&server, authority.text, &cfg.names));
    assert_false(certificate_serves(&server, other.text, &cfg.names));
    assert_false(certificate_serves(&server, authority.text, &another.names));
    assert_true(certificate_end(server.text, &ends_ms));
    assert_int_equal(ends_ms, begin + DAY);
    memcpy(server.key, other.key, sizeof(server.key));
    assert_false(certificate_serves(&server, authority.text, &cfg.names));
    assert_false(certificate_has_key(&server));
    /* It doesn't outlive who signed it. */
    assert_int_equal(
        certificate_make(&server, &authority, &cfg.names, begin, 9 * (uint64_t)DAY, &err),
        GUARD_OK);
    assert_true(certificate_end(server.text, &ends_ms));
    assert_int_equal(ends_ms, begin + 4 * (uint64_t)DAY);
    snprintf(authority.key, sizeof(authority.key), "%s",
             "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert_int_equal(certificate_make(&server, &authority, &cfg.names, begin, DAY, &err),
                     GUARD_E_IO);
    assert_string_equal(server.text, "");
    assert_false(certificate_end("no certificate", &ends_ms));
}

static void an_authority_is_trusted_before_it_signs(void **state)
{
    const struct authority_cfg cfg = cfg_of("a.svc");
    struct authority authority = {.since_ms = 0};
    struct authority first;
    char bundle[AUTHORITY_BUNDLE_CAP];
    uint64_t now = begin;
    (void)state;
    assert_true(step(&authority, &cfg, now, 0));
    assert_false(step(&authority, &cfg, now, 0));
    assert_true(certificate_serves(&authority.server, authority.signer.text, &cfg.names));
    /* The server's certificate is renewed with the same authority. */
    first = authority;
    now += 61 * (uint64_t)DAY;
    assert_true(step(&authority, &cfg, now, now));
    assert_string_equal(authority.signer.text, first.signer.text);
    assert_string_not_equal(authority.server.text, first.server.text);
    assert_false(step(&authority, &cfg, now, now));
    /* A new authority when a third of its time is left. */
    now = begin + 241 * (uint64_t)DAY;
    while (authority.next.text[0] == '\0')
        assert_true(step(&authority, &cfg, now, now));
    assert_string_equal(authority.signer.text, first.signer.text);
    authority_bundle(&authority, bundle);
    assert_int_equal(certificates_in(bundle), 2);
    /* It signs nothing until it was trusted for long enough, whatever the time is. */
    assert_false(step(&authority, &cfg, now + DAY, 0));
    assert_false(step(&authority, &cfg, now + DAY, cfg.overlap_ms - 1));
    assert_true(certificate_serves(&authority.server, first.signer.text, &cfg.names));
    now += DAY;
    assert_true(step(&authority, &cfg, now, cfg.overlap_ms));
    assert_string_not_equal(authority.signer.text, first.signer.text);
    assert_true(certificate_serves(&authority.server, authority.signer.text, &cfg.names));
    authority_bundle(&authority, bundle);
    assert_int_equal(certificates_in(bundle), 2);
    assert_non_null(strstr(bundle, first.signer.text));
    /* And the one before goes when nobody serves by it. */
    assert_false(step(&authority, &cfg, now + cfg.overlap_ms - 1, cfg.overlap_ms));
    assert_true(step(&authority, &cfg, now + cfg.overlap_ms, cfg.overlap_ms));
    authority_bundle(&authority, bundle);
    assert_int_equal(certificates_in(bundle), 1);
    assert_false(step(&authority, &cfg, now + cfg.overlap_ms, cfg.overlap_ms));
    /* One that ended while nobody was there is replaced at once. */
    assert_true(step(&authority, &cfg, now + 800 * (uint64_t)DAY, 0));
    assert_int_equal(authority.next.text[0], '\0');
    assert_false(step(&authority, &cfg, now + 800 * (uint64_t)DAY, 0));
}

static void a_stuck_roll_is_no_storm_of_writes(void **state)
{
    const struct authority_cfg cfg = cfg_of("a.svc");
    struct authority authority = {.since_ms = 0};
    uint64_t end = begin + 4 * cfg.valid_ms;
    unsigned changes = 0;
    (void)state;
    /* The configuration can never be written: the bundle isn't trusted. */
    for (uint64_t now = begin; now < end; now += 6 * (uint64_t)HOUR)
        changes += step(&authority, &cfg, now, 0);
    assert_in_range(changes, 4, 16);
}

static void what_is_written_is_read(void **state)
{
    const struct authority_cfg cfg = cfg_of("a.svc");
    struct authority authority = {.since_ms = 0}, read;
    static char text[AUTHORITY_SECRET_CAP];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_err err;
    struct document_node *root = NULL;
    struct json_writer json;
    (void)state;
    assert_true(step(&authority, &cfg, begin, 0));
    authority.renew = true;
    assert_true(step(&authority, &cfg, begin, 0));
    assert_false(authority.renew);
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    authority_write(&authority, &json);
    json_close(&json, '}');
    assert_false(json.overflow);
    guard_arena_init(&arena, &heap, 1 << 20);
    assert_int_equal(
        json_tree_parse(&root, (struct guard_span){(uint8_t *)text, json.len}, &arena, &err),
        GUARD_OK);
    authority_read(&read, root);
    assert_memory_equal(read.signer.text, authority.signer.text, strlen(authority.signer.text) + 1);
    assert_string_equal(read.signer.key, authority.signer.key);
    assert_string_equal(read.next.text, authority.next.text);
    assert_string_equal(read.next.key, authority.next.key);
    assert_string_equal(read.server.key, authority.server.key);
    assert_int_equal(read.since_ms, authority.since_ms);
    guard_arena_reset(&arena);
}

static void what_is_not_whole_is_made_anew(void **state)
{
    static const char *const odd[] = {
        "{}",
        "{\"data\":{}}",
        "{\"data\":[]}",
        "{\"data\":{\"authority.crt\":\"AAAA\"}}",
        "{\"data\":{\"authority.crt\":\"!\",\"authority.key\":\"AAAA\"}}",
        "{\"data\":{\"tls.crt\":{}},\"metadata\":[]}",
        "{\"data\":{\"since\":\"OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk=\"}}"};
    const struct authority_cfg cfg = cfg_of("a.svc");
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct guard_arena arena;
        struct authority authority;
        struct document_node *root = NULL;
        guard_arena_init(&arena, &heap, 1 << 20);
        assert_int_equal(
            json_tree_parse(&root, (struct guard_span){(const uint8_t *)odd[i], strlen(odd[i])},
                            &arena, &err),
            GUARD_OK);
        authority_read(&authority, root);
        assert_true(step(&authority, &cfg, begin, 0));
        assert_true(certificate_serves(&authority.server, authority.signer.text, &cfg.names));
        guard_arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_names),
        cmocka_unit_test(a_certificate_serves_for_its_names_and_its_authority),
        cmocka_unit_test(an_authority_is_trusted_before_it_signs),
        cmocka_unit_test(a_stuck_roll_is_no_storm_of_writes),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_not_whole_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
