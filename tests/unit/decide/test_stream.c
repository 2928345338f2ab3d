/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that are judged while they come: what isn't known yet is no deviation. */
#include "unit/policy/world.h"

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world world;

struct stream {
    struct guard_arena arena;
    struct guard_policy *policy;
    struct guard_txn *txn;
};

/* A request without Content-Type, its body to come. */
static void begin(struct stream *stream, const char *method, const char *target)
{
    const struct guard_txn_cfg cfg = {.policy = stream->policy,
                                      .service = GUARD_SPAN_LITERAL("shop")};
    guard_arena_init(&stream->arena, &world_heap, 256 * 1024);
    assert_int_equal(guard_txn_begin(&stream->txn, &cfg, &stream->arena), GUARD_OK);
    guard_txn_request(stream->txn, world_span(method), world_span(target), 11);
    guard_txn_header(stream->txn, GUARD_SPAN_LITERAL("host"), GUARD_SPAN_LITERAL("shop.test"));
    (void)guard_txn_headers_end(stream->txn);
}

static void end(struct stream *stream)
{
    guard_arena_reset(&stream->arena);
    world_policy_free(stream->policy);
}

static bool has(const struct guard_verdict *verdict, enum guard_rule rule)
{
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        if (verdict->findings[i].rule == rule)
            return true;
    }
    return false;
}

static const struct guard_verdict *check(struct stream *stream, const char *chunk)
{
    guard_txn_body(stream->txn, world_span(chunk));
    return guard_txn_request_check(stream->txn, stream->policy);
}

/* Blanks may be the beginning of anything; what follows them tells. */
static void test_body_of_unknown_kind(void **state)
{
    (void)state;
    struct stream stream;
    world_init(&world);
    stream.policy = world_policy(&world);
    begin(&stream, "POST", "/orders");
    assert_int_equal(guard_txn_request_check(stream.txn, stream.policy)->finding_total, 0);
    assert_int_equal(check(&stream, " \r\n")->finding_total, 0);
    assert_int_equal(check(&stream, "\t ")->finding_total, 0);
    const struct guard_verdict *verdict = check(&stream, "{\"item\":\"ch");
    assert_true(has(verdict, GUARD_RULE_CONTENT_TYPE));
    end(&stream);
    stream.policy = world_policy(&world); /* at the end blanks are a body like others */
    begin(&stream, "POST", "/orders");
    assert_int_equal(check(&stream, "  ")->finding_total, 0);
    assert_true(has(guard_txn_request_end(stream.txn), GUARD_RULE_CONTENT_TYPE));
    end(&stream);
}

/* A connection's frames are no body without a type, whatever types people want of the endpoint's
 * bodies. */
static void test_frames_have_no_type(void **state)
{
    (void)state;
    static struct guard_span media[] = {GUARD_SPAN_LITERAL("application/json")};
    static struct guard_endpoint_rule rule = {.template_text = GUARD_SPAN_LITERAL("/files/{}"),
                                              .mode = -1,
                                              .body_max = -1,
                                              .media_types = media,
                                              .media_count = 1};
    struct stream stream;
    world_init(&world);
    world.guardian.endpoints = &rule;
    world.guardian.endpoint_count = 1;
    stream.policy = world_policy(&world);
    begin(&stream, "GET", "/files/notes");
    assert_int_equal(guard_txn_response_begin(stream.txn, 101), GUARD_OK);
    assert_int_equal(guard_txn_response_headers_end(stream.txn), GUARD_BODY_WEBSOCKET);
    const uint8_t ping[] = {0x89, 0x80, 0, 0, 0, 0};
    guard_txn_body(stream.txn, gd_span(ping, sizeof(ping)));
    assert_false(has(guard_txn_request_check(stream.txn, stream.policy), GUARD_RULE_CONTENT_TYPE));
    assert_false(has(guard_txn_request_end(stream.txn), GUARD_RULE_CONTENT_TYPE));
    end(&stream);
    stream.policy = world_policy(&world);
    begin(&stream, "GET", "/files/notes");
    const struct guard_verdict *verdict = check(&stream, "\x89\x80");
    assert_true(has(verdict, GUARD_RULE_CONTENT_TYPE));
    end(&stream);
}

/* What is only reported is told while the message goes on, so its findings are there after each
 * check, of what is there then; and however many checks there are, in the same room. */
static void test_findings_on_the_way(void **state)
{
    (void)state;
    struct stream stream;
    size_t used = 0;
    world_init(&world);
    world.guardian.mode = world.guardian.request_mode = GUARD_MODE_ALERT;
    stream.policy = world_policy(&world);
    begin(&stream, "POST", "/orders");
    guard_txn_decoded(stream.txn);
    const struct guard_verdict *verdict = check(&stream, "{\"item\":{\"x\":{\"y<\":1}},\"a'");
    for (int i = 0; i < 1000; i++) {
        verdict = guard_txn_request_check(stream.txn, stream.policy);
        assert_int_equal(verdict->action, GUARD_ALERT);
        assert_true(verdict->finding_count > 0);
        assert_int_equal(verdict->finding_count, verdict->finding_total);
        for (uint32_t k = 0; k < verdict->finding_count; k++) {
            for (uint32_t other = 0; other < k; other++)
                assert_false(
                    verdict->findings[k].rule == verdict->findings[other].rule &&
                    gd_span_equal(verdict->findings[k].name, verdict->findings[other].name));
        }
        if (i == 0)
            used = stream.arena.used;
        assert_int_equal(stream.arena.used, used);
    }
    uint32_t before = verdict->finding_count;
    verdict = check(&stream, "\":2,\"other\":\"<script>\"}");
    assert_true(verdict->finding_count > before);
    assert_true(has(verdict, GUARD_RULE_NAME));
    end(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body_of_unknown_kind),
        cmocka_unit_test(test_frames_have_no_type),
        cmocka_unit_test(test_findings_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
