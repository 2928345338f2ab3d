/* SPDX-License-Identifier: Apache-2.0 */
/* Patches in decisions: where conditions look, in which forms, what a hit does in each mode, and
 * what happens with what couldn't be inspected. */
#include "unit/decide/patched.h"

static void each_place_is_looked_at(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &text));
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(blocks(&f, "GET", "/evil", NULL, NULL, NULL));
    assert_true(blocks(&f, "GET", "/a?x=evil", NULL, NULL, NULL));
    assert_true(blocks(&f, "GET", "/a", NULL, "evil", NULL));
    assert_true(blocks(&f, "POST", "/a", "application/json", NULL, "{\"a\":[{\"b\":\"evil\"}]}"));
    assert_true(
        blocks(&f, "POST", "/a", "application/x-www-form-urlencoded", NULL, "a=b&c=an+evil"));
    assert_true(blocks(&f, "POST", "/a", "text/plain", NULL, "an evil text"));
    assert_true(blocks(&f, "POST", "/a", "multipart/form-data; boundary=B", NULL,
                       "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nevil\r\n--B--"));
    assert_true(blocks(&f, "POST", "/a", "multipart/form-data; boundary=B", NULL,
                       "--B\r\nContent-Disposition: form-data; name=\"a\"; "
                       "filename=\"evil.jsp\"\r\n\r\nx\r\n--B--"));
    assert_true(blocks(&f, "GET", "/a?evil=x", NULL, NULL, NULL)); /* in the target */
    assert_false(blocks(&f, "GET", "/a", NULL, "good", NULL));
    assert_false(blocks(&f, "POST", "/a", "application/json", NULL, "{\"evil\":1}"));
    end(&f);
}

static void values_are_seen_through_encodings(void **state)
{
    (void)state;
    struct guard_span text = S("${jndi:");
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &text));
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(blocks(&f, "GET", "/a?x=%24%7Bjndi:x", NULL, NULL, NULL));
    assert_true(blocks(&f, "GET", "/a?x=%2524%257Bjndi%253ax", NULL, NULL, NULL));
    assert_true(blocks(&f, "GET", "/a?x=%252524%25257Bjndi%3ax", NULL, NULL, NULL));
    assert_true(blocks(&f, "GET", "/a", NULL, "&#36;&#x7b;jndi:", NULL));
    assert_true(blocks(&f, "GET", "/a", NULL, "\\u0024{jndi\\x3a", NULL));
    assert_true(blocks(&f, "GET", "/a", NULL, "%u0024{jndi:", NULL));
    assert_true(blocks(&f, "GET", "/a", NULL, "$\xc1\xbbjndi:", NULL));
    assert_true(blocks(&f, "GET", "/a?x=$%00{jn%00di:", NULL, NULL, NULL));
    assert_true(blocks(&f, "POST", "/a", "application/json", NULL, "{\"a\":\"\\u0024{jndi:\"}"));
    assert_false(blocks(&f, "GET", "/a?x=$jndi:", NULL, NULL, NULL));
    end(&f);
    patch.when.view = GUARD_VIEW_TEXT;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(blocks(&f, "GET", "/a?x=%24%7Bjndi:x", NULL, NULL, NULL));
    assert_false(blocks(&f, "GET", "/a?x=%2524%257Bjndi%253ax", NULL, NULL, NULL));
    end(&f);
    struct guard_span raw = S("%24%7B");
    patch.when.texts = &raw;
    patch.when.view = GUARD_VIEW_RAW;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(blocks(&f, "GET", "/a?x=%24%7Bjndi:x", NULL, NULL, NULL));
    assert_true(
        blocks(&f, "POST", "/a", "application/x-www-form-urlencoded", NULL, "a=b&c=%24%7B"));
    assert_false(blocks(&f, "GET", "/a?x=%2524{", NULL, NULL, NULL));
    end(&f);
}

static void names_choose_values_and_are_values(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    const struct guard_span names[] = {S("user.*"), S("x-a*")};
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &text));
    patch.when.names = names;
    patch.when.name_count = 2;
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(blocks(&f, "GET", "/a", NULL, "evil", NULL));
    assert_true(
        blocks(&f, "POST", "/a", "application/json", NULL, "{\"user\":{\"name\":\"evil\"}}"));
    assert_false(
        blocks(&f, "POST", "/a", "application/json", NULL, "{\"users\":{\"name\":\"evil\"}}"));
    assert_false(blocks(&f, "GET", "/a?y=evil", NULL, NULL, NULL));
    end(&f);
    struct guard_span proto = S("__proto__");
    patch = patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &proto));
    patch.when.on_names = true;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(blocks(&f, "POST", "/a", "application/json", NULL, "{\"a\":{\"__proto__\":{}}}"));
    assert_true(blocks(&f, "GET", "/a?__proto__[x]=1", NULL, NULL, NULL));
    assert_false(blocks(&f, "GET", "/a?x=__proto__", NULL, NULL, NULL));
    end(&f);
}

static void conditions_combine(void **state)
{
    (void)state;
    struct guard_span a = S("aaa");
    struct guard_span b = S("b+c");
    struct guard_span session[] = {S("session")};
    struct guard_patch_condition cookie = leaf(GUARD_OPERATOR_PRESENT, GUARD_PLACE_QUERY, NULL);
    cookie.names = session;
    cookie.name_count = 1;
    struct guard_patch_condition no = {
        .op = GUARD_OPERATOR_NOT, .children = &cookie, .child_count = 1, .min = -1, .max = -1};
    struct guard_patch_condition all[] = {leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_QUERY, &a),
                                          leaf(GUARD_OPERATOR_REGEX, GUARD_PLACE_QUERY, &b), no};
    struct guard_patch patch =
        patch_of("P", (struct guard_patch_condition){
                          .op = GUARD_OPERATOR_ALL, .children = all, .child_count = 3});
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(blocks(&f, "GET", "/a?x=aaa&y=bbc", NULL, NULL, NULL));
    assert_false(blocks(&f, "GET", "/a?x=aaa&y=bb", NULL, NULL, NULL));
    assert_false(blocks(&f, "GET", "/a?y=bbc", NULL, NULL, NULL));
    assert_false(blocks(&f, "GET", "/a?x=aaa&y=bbc&session=1", NULL, NULL, NULL));
    assert_int_equal(f.naive.scans, 4);
    f.bare = true;
    assert_true(unseen(send(&f, "GET", "/a?x=aaa&y=bb", NULL, NULL, gd_span(NULL, 0))));
    assert_false(unseen(send(&f, "GET", "/a?x=aa&y=bb", NULL, NULL, gd_span(NULL, 0))));
    end(&f);
}

/* With a scan and without one; what a scan found nothing for is looked at where names may be in no
 * stream. */
static void names_are_a_sign(void **state)
{
    (void)state;
    struct guard_span wanted[] = {S("options.deep[].view*"), S("x-options")};
    struct guard_patch_condition when =
        leaf(GUARD_OPERATOR_LENGTH, GUARD_PLACE_JSON | GUARD_PLACE_QUERY, NULL);
    when.names = wanted;
    when.name_count = 2;
    when.min = 5;
    struct guard_patch patch = patch_of("P", when);
    struct guard_pattern pattern;
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(guard_policy_pattern(f.policy, 0, &pattern));
    for (int bare = 0; bare < 2; bare++) {
        f.bare = bare == 1;
        assert_true(blocks(&f, "GET", "/a?x-options=12345", NULL, NULL, NULL));
        assert_true(blocks(&f, "GET", "/a?x%2doptions=12345", NULL, NULL, NULL));
        assert_false(blocks(&f, "GET", "/a?x-options=1234", NULL, NULL, NULL));
        assert_false(blocks(&f, "GET", "/a?x=12345", NULL, NULL, NULL));
        assert_true(
            blocks(&f, "POST", "/a", "application/json", NULL,
                   "{\"options\":{\"deep\":[{\"views\":1},{\"v\\u0069ewed\":\"12345\"}]}}"));
        assert_false(blocks(&f, "POST", "/a", "application/json", NULL,
                            "{\"options\":{\"deep\":[{\"vie\":\"12345\"}]}}"));
        /* What came behind the fault has no name, but it can only have one that stands there. */
        assert_true(
            unseen(send(&f, "POST", "/a", "application/json", NULL,
                        S("{\"a\":{]\"\\u006fptions\":{\"deep\":[{\"view\":\"12345\"}]}}}"))));
        assert_false(unseen(send(&f, "POST", "/a", "application/json", NULL,
                                 S("{\"a\":{]\"\\u006fptions\":\"12345\"}}"))));
    }
    end(&f);
}

static void numbers_types_and_shapes(void **state)
{
    (void)state;
    static const struct {
        enum guard_patch_operator op;
        int64_t min, max;
        uint32_t bits;
        const char *text;
        const char *yes, *no;
    } cases[] = {
        {GUARD_OPERATOR_LENGTH, 5, -1, 0, NULL, "/a?x=12345", "/a?x=1234"},
        {GUARD_OPERATOR_RANGE, 10, 20, 0, NULL, "/a?x=15", "/a?x=21"},
        {GUARD_OPERATOR_RANGE, 10, -1, 0, NULL, "/a?x=99999999999999999999", "/a?x=9x"},
        {GUARD_OPERATOR_COUNT, 3, -1, 0, NULL, "/a?x=1&y=2&z=3", "/a?x=1&y=2"},
        {GUARD_OPERATOR_TYPE, -1, -1, 1u << GUARD_TYPE_INT, NULL, "/a?x=15", "/a?x=b"},
        {GUARD_OPERATOR_CHARSET, -1, -1, 0, "a-z", "/a?x=a.b", "/a?x=ab"},
        {GUARD_OPERATOR_TRAVERSAL, -1, -1, 0, NULL, "/a?x=a/../b", "/a?x=a..b"},
        {GUARD_OPERATOR_TRAVERSAL, -1, -1, 0, NULL, "/a?x=..;/..;/etc/passwd", "/a?x=/etc/passwd"},
        {GUARD_OPERATOR_LIKENESS, -1, -1, 1u << GUARD_LIKENESS_SQL, NULL,
         "/a?x=1'+union+select+a,b+from+users--", "/a?x=select"},
        {GUARD_OPERATOR_PRESENT, 0, 0, 0, NULL, "/a", "/a?x=1"},
        {GUARD_OPERATOR_EQUALS, -1, -1, 0, "abc", "/a?x=abc", "/a?x=abcd"},
        {GUARD_OPERATOR_BEGINS, -1, -1, 0, "abc", "/a?x=abcd", "/a?x=xabc"},
        {GUARD_OPERATOR_ENDS, -1, -1, 0, "abc", "/a?x=xabc", "/a?x=abcd"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_span text = world_span(cases[i].text == NULL ? "" : cases[i].text);
        struct guard_patch patch = patch_of(
            "P", leaf(cases[i].op, GUARD_PLACE_QUERY, cases[i].text == NULL ? NULL : &text));
        patch.when.min = cases[i].min;
        patch.when.max = cases[i].max;
        if (cases[i].op == GUARD_OPERATOR_TYPE)
            patch.when.types = cases[i].bits;
        if (cases[i].op == GUARD_OPERATOR_LIKENESS)
            patch.when.likeness = cases[i].bits;
        struct fixture f;
        begin(&f, &patch, 1);
        compile(&f);
        assert_true(blocks(&f, "GET", cases[i].yes, NULL, NULL, NULL));
        assert_false(blocks(&f, "GET", cases[i].no, NULL, NULL, NULL));
        end(&f);
    }
}

static void the_scope_limits_it(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    const struct guard_span paths[] = {S("/login"), S("/files/{*}"), S("/u/{int}/x")};
    const struct guard_span methods[] = {S("POST")};
    const struct guard_span types[] = {S("text/plain")};
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &text));
    patch.endpoints = paths;
    patch.endpoint_count = 3;
    patch.methods = methods;
    patch.media_types = types;
    patch.method_count = patch.media_count = 1;
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(blocks(&f, "POST", "/login", "text/plain", NULL, "evil"));
    assert_true(blocks(&f, "POST", "/login?x=1", "text/plain", NULL, "evil"));
    assert_true(blocks(&f, "POST", "/x/..//login", "text/plain", NULL, "evil"));
    assert_true(blocks(&f, "POST", "/l%6fgin/", "text/plain", NULL, "evil"));
    assert_true(blocks(&f, "POST", "/files/a/b", "text/plain", NULL, "evil"));
    assert_true(blocks(&f, "POST", "/u/7/x", "text/plain", NULL, "evil"));
    assert_false(blocks(&f, "POST", "/files", "text/plain", NULL, "evil"));
    assert_false(blocks(&f, "PUT", "/login", "text/plain", NULL, "evil"));
    assert_false(blocks(&f, "POST", "/login", "text/html", NULL, "evil"));
    assert_false(blocks(&f, "POST", "/logins", "text/plain", NULL, "evil"));
    end(&f);
}

static void modes_say_what_a_hit_does(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &text));
    static const struct {
        enum guard_mode mode;
        enum guard_decision action;
    } modes[] = {{GUARD_MODE_OBSERVE, GUARD_PASS},
                 {GUARD_MODE_ALERT, GUARD_BLOCK},
                 {GUARD_MODE_BLOCK, GUARD_BLOCK}};
    struct fixture f;
    const struct guard_verdict *verdict;
    for (size_t i = 0; i < 3; i++) {
        begin(&f, &patch, 1);
        guard_guardian_set_mode(&f.world.guardian, modes[i].mode);
        compile(&f);
        verdict = send(&f, "GET", "/evil", NULL, NULL, gd_span(NULL, 0));
        assert_int_equal(verdict->decision, GUARD_BLOCK);
        assert_int_equal(verdict->action, modes[i].action);
        assert_false(verdict->novel);
        assert_int_equal(verdict->findings[0].rule, GUARD_RULE_PATCH);
        verdict = send(&f, "OPTIONS", "/evil", NULL, NULL, gd_span(NULL, 0));
        assert_int_equal(verdict->action, modes[i].action);
        end(&f);
    }
    patch.mode = GUARD_PATCH_OFF;
    begin(&f, &patch, 1);
    compile(&f);
    assert_false(blocks(&f, "GET", "/evil", NULL, NULL, NULL));
    assert_int_equal(f.policy->patches.entry_count, 0);
    end(&f);
}

static void shadows_only_tell(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    for (int i = 0; i < 4; i++) {
        struct guard_patch patch =
            patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_HEADER, &text));
        if (i == 0)
            patch.mode = GUARD_PATCH_SHADOW;
        if (i == 1)
            patch.expires_ms = 1000;
        if (i == 2)
            patch.fixed_in = S("2.0");
        struct fixture f;
        begin(&f, &patch, 1);
        guard_guardian_set_mode(&f.world.guardian, GUARD_MODE_BLOCK);
        compile(&f);
        f.now = 1000;
        f.revision = S("2.0");
        const struct guard_verdict *verdict =
            send(&f, "OPTIONS", "/", NULL, "evil", gd_span(NULL, 0));
        assert_true(hit(verdict, "P"));
        assert_int_equal(verdict->findings[0].shadow, i < 3);
        assert_int_equal(verdict->action, i < 3 ? GUARD_ALERT : GUARD_BLOCK);
        f.now = 999;
        f.revision = S("1.0");
        verdict = send(&f, "OPTIONS", "/", NULL, "evil", gd_span(NULL, 0));
        assert_int_equal(verdict->action, i == 0 ? GUARD_ALERT : GUARD_BLOCK);
        end(&f);
    }
}

/* Whatever stands before it, and however its parser takes that. */
static void padding_hides_nothing(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &text));
    static const struct {
        const char *type, *begin, *piece, *end;
    } cases[] = {
        {"application/json", "[", "1,", "\"evil\"]"},
        {"application/json", "", "[", "\"evil\""},
        {"application/json", "{\"x\":\"", "y", "evil\"}"},
        {"application/json", "{'", "\"", "evil\"}"},
        {"application/x-www-form-urlencoded", "", "a=1&", "b=evil"},
        {"application/x-www-form-urlencoded", "a=", "x", "evil"},
        {"text/plain", "", "x", "evil"},
        {"multipart/form-data; boundary=B", "--B\r\n", "X: y\r\n", "\r\nevil\r\n--B--"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        begin(&f, &patch, 1);
        compile(&f);
        enum { ROOM = 300000 };
        char *body = malloc(ROOM);
        size_t len = (size_t)snprintf(body, ROOM, "%s", cases[i].begin);
        while (len < ROOM - 100)
            len += (size_t)snprintf(body + len, ROOM - len, "%s", cases[i].piece);
        len += (size_t)snprintf(body + len, ROOM - len, "%s", cases[i].end);
        assert_true(hit(send(&f, "POST", "/a", cases[i].type, NULL, gd_span(body, len)), "P"));
        free(body);
        end(&f);
    }
}

/* Whichever of them stands first. */
static void one_that_only_alerts_doesnt_stand_for_one_that_blocks(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    uint8_t body[200];
    memset(body, 'x', sizeof(body));
    for (int alerting = 0; alerting < 2; alerting++) {
        struct guard_patch patches[] = {patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &text)),
                                        patch_of("Q", leaf(GUARD_OPERATOR_CONTAINS, 0, &text))};
        struct fixture f;
        patches[alerting].action = GUARD_PATCH_ALERT;
        begin(&f, patches, 2);
        f.world.guardian.fail_closed = true;
        guard_guardian_set_mode(&f.world.guardian, GUARD_MODE_BLOCK);
        compile(&f);
        f.body_limit = 100;
        const struct guard_verdict *verdict =
            send(&f, "POST", "/a", "text/plain", NULL, gd_span(body, sizeof(body)));
        assert_int_equal(verdict->action, GUARD_BLOCK);
        assert_int_equal(verdict->findings[0].rule, GUARD_RULE_PATCH_UNSEEN);
        assert_true(gd_span_equal(verdict->findings[0].patch, alerting == 0 ? S("Q") : S("P")));
        end(&f);
    }
}

static void what_nobody_saw_is_told(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &text));
    struct fixture f;
    for (int closed = 0; closed < 2; closed++) {
        begin(&f, &patch, 1);
        f.world.guardian.fail_closed = closed;
        guard_guardian_set_mode(&f.world.guardian, GUARD_MODE_BLOCK);
        compile(&f);
        f.body_limit = 100;
        uint8_t body[200];
        memset(body, 'x', sizeof(body));
        const struct guard_verdict *verdict =
            send(&f, "POST", "/a", "text/plain", NULL, gd_span(body, 200));
        assert_true(unseen(verdict));
        assert_false(hit(verdict, "P"));
        if (closed)
            assert_int_equal(verdict->findings[0].rule, GUARD_RULE_PATCH_UNSEEN);
        verdict = send(&f, "POST", "/a", "text/plain", NULL, gd_span(body, 100));
        assert_false(unseen(verdict));
        end(&f);
    }
}

static void a_get_copies_no_body(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    struct guard_patch patch =
        patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_HEADER, &text));
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    assert_false(blocks(&f, "POST", "/evil?x=evil", "text/plain", NULL, "evil"));
    assert_true(blocks(&f, "POST", "/", "text/plain", "evil", "x"));
    end(&f);
}

/* A response with a body of this type, in chunks. */
static const struct guard_verdict *answer_of(struct fixture *f, const char *type,
                                             struct guard_span body)
{
    struct guard_txn *txn;
    const struct guard_txn_cfg cfg = {.policy = f->policy,
                                      .service = f->world.guardian.service,
                                      .response_limit = f->body_limit,
                                      .matcher = &f->matcher};
    guard_arena_reset(&f->arena);
    assert_int_equal(guard_txn_begin(&txn, &cfg, &f->arena), GUARD_OK);
    guard_txn_request(txn, S("GET"), S("/a"), 11);
    (void)guard_txn_headers_end(txn);
    (void)guard_txn_request_end(txn);
    assert_int_equal(guard_txn_response_begin(txn, 200), GUARD_OK);
    guard_txn_response_header(txn, S("Content-Type"), world_span(type));
    (void)guard_txn_response_headers_end(txn);
    for (; body.len > 0; body = gd_span_from(body, 30))
        guard_txn_response_body(txn, gd_span_head(body, 30));
    return guard_txn_response_end(txn);
}

static void files_that_are_handed_out_are_looked_at(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &text));
    patch.part = GUARD_PATCH_RESPONSE;
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    f.body_limit = 100;
    char body[200];
    memset(body, 'x', sizeof(body));
    body[3] = '\0';
    static const char *const types[] = {"application/octet-stream", "image/png", "text/plain"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        memcpy(body + 58, "evil", 4);
        assert_true(hit(answer_of(&f, types[i], gd_span(body, 100)), "P"));
        memcpy(body + 58, "good", 4);
        const struct guard_verdict *verdict = answer_of(&f, types[i], gd_span(body, 100));
        assert_false(hit(verdict, "P"));
        assert_false(unseen(verdict));
        verdict = answer_of(&f, types[i], gd_span(body, 101));
        assert_false(hit(verdict, "P"));
        assert_true(unseen(verdict));
    }
    end(&f);
}

/* A request whose policy changes behind its header and the first part of its body. */
struct changing {
    struct fixture before;
    struct fixture after;
    struct guard_txn *txn;
};

static void change_begin(struct changing *c, struct guard_patch *first, struct guard_patch *then,
                         const char *type, const char *head)
{
    begin(&c->before, first, first != NULL);
    begin(&c->after, then, then != NULL);
    compile(&c->before);
    compile(&c->after);
    const struct guard_txn_cfg cfg = {.policy = c->before.policy,
                                      .service = c->before.world.guardian.service};
    assert_int_equal(guard_txn_begin(&c->txn, &cfg, &c->after.arena), GUARD_OK);
    guard_txn_request(c->txn, S("POST"), S("/a?q=evil"), 11);
    guard_txn_header(c->txn, S("Content-Type"), world_span(type));
    guard_txn_header(c->txn, S("X-Api"), S("evil"));
    (void)guard_txn_headers_end(c->txn);
    (void)guard_txn_request_check(c->txn, c->before.policy);
    if (head != NULL)
        guard_txn_body(c->txn, world_span(head));
    (void)guard_txn_request_check(c->txn, c->after.policy);
    /* Nothing may still point into it. */
    end(&c->before);
}

static void change_end(struct changing *c)
{
    end(&c->after);
}

static void a_policy_in_the_middle_is_followed(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    struct guard_span good = S("good");
    struct guard_patch in_body =
        patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_JSON, &text));
    struct guard_patch in_head =
        patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_HEADER, &text));
    struct guard_patch other =
        patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_JSON, &good));
    struct guard_span path = S("/a");
    struct changing c;
    in_body.endpoints = &path;
    in_body.endpoint_count = 1;
    const struct guard_verdict *verdict;
    /* All that was kept for the patches before is looked at by those that came. */
    change_begin(&c, &other, &in_body, "application/json", "{\"a\":\"evil\",");
    guard_txn_body(c.txn, S("\"b\":1}"));
    verdict = guard_txn_request_end(c.txn);
    assert_true(hit(verdict, "P"));
    change_end(&c);
    /* The first patches: a body that didn't begin is looked at, */
    change_begin(&c, NULL, &in_body, "application/json", NULL);
    guard_txn_body(c.txn, S("{\"a\":\"evil\"}"));
    verdict = guard_txn_request_end(c.txn);
    assert_true(hit(verdict, "P"));
    change_end(&c);
    /* what is gone wasn't inspected, which is told at the end, */
    change_begin(&c, NULL, &in_head, "application/json", NULL);
    verdict = guard_txn_verdict(c.txn);
    assert_false(unseen(verdict));
    verdict = guard_txn_request_end(c.txn);
    assert_false(hit(verdict, "P"));
    assert_true(unseen(verdict));
    change_end(&c);
    /* and neither was a body of which a part was gone. */
    change_begin(&c, NULL, &in_body, "application/json", "{\"a\":\"evil\",");
    guard_txn_body(c.txn, S("\"b\":1}"));
    verdict = guard_txn_request_end(c.txn);
    assert_false(hit(verdict, "P"));
    assert_true(unseen(verdict));
    change_end(&c);
    /* The last patch goes. */
    change_begin(&c, &in_body, NULL, "application/json", "{\"a\":\"evil\"}");
    verdict = guard_txn_request_end(c.txn);
    assert_false(hit(verdict, "P"));
    assert_false(unseen(verdict));
    change_end(&c);
}

static void what_is_absent_because_it_went_by_is_no_hit(void **state)
{
    (void)state;
    struct guard_span name = S("x-api");
    struct guard_patch_condition present = leaf(GUARD_OPERATOR_PRESENT, GUARD_PLACE_HEADER, NULL);
    present.names = &name;
    present.name_count = 1;
    struct guard_patch_condition absent = leaf(GUARD_OPERATOR_NOT, 0, NULL);
    absent.children = &present;
    absent.child_count = 1;
    struct guard_patch patch = patch_of("P", absent);
    struct changing c;
    change_begin(&c, NULL, &patch, "application/json", NULL);
    assert_false(hit(guard_txn_verdict(c.txn), "P"));
    assert_false(hit(guard_txn_request_end(c.txn), "P"));
    change_end(&c);
}

static void a_response_follows_the_policy_that_came_before_it(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, 0, &text));
    patch.part = GUARD_PATCH_RESPONSE;
    struct changing c;
    change_begin(&c, NULL, &patch, "application/json", "{}");
    (void)guard_txn_request_end(c.txn);
    assert_int_equal(guard_txn_response_begin(c.txn, 200), GUARD_OK);
    guard_txn_response_header(c.txn, S("Content-Type"), S("text/plain"));
    (void)guard_txn_response_headers_end(c.txn);
    guard_txn_response_body(c.txn, S("an evil answer"));
    assert_true(hit(guard_txn_response_end(c.txn), "P"));
    change_end(&c);
}

static void a_line_for_people(void **state)
{
    (void)state;
    struct guard_span text = S("${jndi:");
    struct guard_patch patch =
        patch_of("CVE-2021-44228", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_HEADER, &text));
    patch.title = S("Log4j looks up names in logged texts");
    struct fixture f;
    begin(&f, &patch, 1);
    guard_guardian_set_mode(&f.world.guardian, GUARD_MODE_BLOCK);
    compile(&f);
    char line[256];
    const struct guard_verdict *verdict =
        send(&f, "POST", "/login", NULL, "${jndi:ldap://x/a}", gd_span(NULL, 0));
    (void)guard_explain(verdict, S("POST"), S("/login"), line, sizeof(line));
    assert_string_equal(line,
                        "BLOCK POST /login header x-api: patch CVE-2021-44228 (Log4j looks up "
                        "names in logged texts): contains \"${jndi:\"");
    char observed[64], expected[64];
    guard_finding_texts(&verdict->findings[0], observed, 64, expected, 64);
    assert_string_equal(observed, "${aaaa:aaaa://a/a}");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_is_looked_at),
        cmocka_unit_test(values_are_seen_through_encodings),
        cmocka_unit_test(names_choose_values_and_are_values),
        cmocka_unit_test(conditions_combine),
        cmocka_unit_test(names_are_a_sign),
        cmocka_unit_test(numbers_types_and_shapes),
        cmocka_unit_test(the_scope_limits_it),
        cmocka_unit_test(modes_say_what_a_hit_does),
        cmocka_unit_test(shadows_only_tell),
        cmocka_unit_test(padding_hides_nothing),
        cmocka_unit_test(what_nobody_saw_is_told),
        cmocka_unit_test(one_that_only_alerts_doesnt_stand_for_one_that_blocks),
        cmocka_unit_test(a_get_copies_no_body),
        cmocka_unit_test(files_that_are_handed_out_are_looked_at),
        cmocka_unit_test(a_policy_in_the_middle_is_followed),
        cmocka_unit_test(what_is_absent_because_it_went_by_is_no_hit),
        cmocka_unit_test(a_response_follows_the_policy_that_came_before_it),
        cmocka_unit_test(a_line_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
