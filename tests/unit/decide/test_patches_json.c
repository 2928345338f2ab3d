/* SPDX-License-Identifier: Apache-2.0 */
/* Patches on JSON documents: of what is searched the values are read again, and all the same. */
#include "unit/decide/patched.h"

/* Whether a leaf of a document that is read at once satisfies it. */
static bool leaf_blocks(enum guard_patch_operator op, const char *text, int64_t min)
{
    static const char document[] = "{\"a\":{\"n\":4711,\"t\":true},\"b\":[{\"n\":-1.5e3,\"t\":"
                                   "false},{\"n\":0,\"t\":true,\"z\":null}],"
                                   "\"s\":\"a text that is longer than a "
                                   "block\",\"k\":\"short\",\"e\":\"esc\\u0061ped\"}         ";
    struct guard_span span = world_span(text);
    struct guard_patch_condition condition = leaf(op, GUARD_PLACE_JSON, &span);
    if (op == GUARD_OPERATOR_RANGE) {
        condition.text_count = 0;
        condition.min = min;
    }
    struct guard_patch patch = patch_of("P", condition);
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    bool found = blocks(&f, "POST", "/a", "application/json", NULL, document);
    end(&f);
    return found;
}

static void leaves_are_searched_wherever_they_are_kept(void **state)
{
    (void)state;
    static const char *const there[] = {"4711",  "-1.5e3",  "0",
                                        "true",  "false",   "null",
                                        "short", "escaped", "a text that is longer than a block"};
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        if (!leaf_blocks(GUARD_OPERATOR_EQUALS, there[i], -1))
            fail_msg("%s isn't found", there[i]);
    }
    assert_true(leaf_blocks(GUARD_OPERATOR_CONTAINS, "71", -1));
    assert_true(leaf_blocks(GUARD_OPERATOR_REGEX, "^4[0-9]+$", -1));
    assert_true(leaf_blocks(GUARD_OPERATOR_REGEX, "^short$", -1));
    assert_true(leaf_blocks(GUARD_OPERATOR_RANGE, "", 4711));
    assert_false(leaf_blocks(GUARD_OPERATOR_RANGE, "", 4712));
    assert_false(leaf_blocks(GUARD_OPERATOR_EQUALS, "711", -1));
    assert_false(leaf_blocks(GUARD_OPERATOR_CONTAINS, "4711,", -1));
    assert_false(leaf_blocks(GUARD_OPERATOR_CONTAINS, "\"", -1));
}

static void leaves_of_later_pieces_are_found(void **state)
{
    (void)state;
    struct guard_patch p = patch_of("P", leaf(GUARD_OPERATOR_EQUALS, GUARD_PLACE_JSON, &S("evil")));
    char body[8100];
    struct fixture f;
    begin(&f, &p, 1);
    compile(&f);
    snprintf(body, sizeof(body), "{\"a\":\"%08000d\",\"b\":\"evil\",\"c\":\"%020d\"}", 0, 0);
    assert_true(hit(send(&f, "POST", "/a", "application/json", NULL, world_span(body)), "P"));
    end(&f);
}

static bool json_blocks(struct fixture *f, const char *document)
{
    return blocks(f, "POST", "/a", "application/json", NULL, document);
}

/* By the parser, and by who decodes values once more. */
static void leaves_are_seen_through_encodings(void **state)
{
    (void)state;
    static const char *const there[] = {
        "{\"a\":\"an evil text\"}",
        "{\"a\":\"an \\u0065vil text\"}",
        "{\"a\":\"an \\u0065\\u0076\\u0069\\u006C text\"}",
        "{\"a\":[{\"b\":\"an %65vil text\"}]}",
        "{\"a\":\"an %2565vil text\"}",
        "{\"a\":\"an \\\\u0065vil text\"}",
        "{\"a\":\"an \\u0025\\u00365vil text\"}",
        "{\"\xc3\xbc\":\"x\",\"a\":\"an &#101;vil text\",\"z\":\"%\"}",
        "\"an \\u0065vil text\"",
        "[\"an evil te",
    };
    struct guard_span text = S("an evil te");
    struct guard_patch patch =
        patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_JSON, &text));
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
        if (!json_blocks(&f, there[i]))
            fail_msg("%s isn't found", there[i]);
    }
    assert_false(json_blocks(&f, "{\"a\":\"an %65il text\"}"));
    assert_false(json_blocks(&f, "{\"an \\u0065vil text\":1}"));
    assert_false(json_blocks(&f, "{\"a\":\"an ev\",\"b\":\"il te\"}"));
    end(&f);
}

/* What one value holds isn't torn apart, where a line feed is in it. */
static void a_leaf_may_hold_lines(void **state)
{
    (void)state;
    struct guard_span text = S("one.evil");
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_REGEX, GUARD_PLACE_JSON, &text));
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(json_blocks(&f, "{\"a\":\"one\\nevil\"}"));
    assert_true(json_blocks(&f, "{\"a\":\"one\\n%65vil\"}"));
    assert_true(json_blocks(&f, "{\"a\":\"%6fne\\n%65vil\"}"));
    assert_false(json_blocks(&f, "{\"a\":\"one\",\"b\":\"evil\"}"));
    end(&f);
}

static void names_of_members_are_read_again(void **state)
{
    (void)state;
    struct guard_span names[] = {S("a[].b"), S("{int}.x")};
    struct guard_span text = S("evil");
    struct guard_patch patch = patch_of("P", leaf(GUARD_OPERATOR_EQUALS, GUARD_PLACE_JSON, &text));
    patch.when.names = names;
    patch.when.name_count = 2;
    struct fixture f;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(json_blocks(&f, "{\"a\":[{\"b\":1},{\"c\":2,\"b\":\"evil\"}]}"));
    assert_true(json_blocks(&f, "{\"17\":{\"x\":\"good\"},\"18\":{\"x\":\"evil\"}}"));
    assert_false(json_blocks(&f, "{\"a\":[{\"c\":\"evil\"}]}"));
    assert_false(json_blocks(&f, "{\"x\":\"evil\"}"));
    end(&f);
    struct guard_span polluted = S("__proto__");
    patch = patch_of("P", leaf(GUARD_OPERATOR_EQUALS, GUARD_PLACE_JSON, &polluted));
    patch.when.on_names = true;
    begin(&f, &patch, 1);
    compile(&f);
    assert_true(json_blocks(&f, "{\"a\":{\"__proto__\":{}}}"));
    assert_true(json_blocks(&f, "{\"\\u005f_proto__\":1}"));
    assert_false(json_blocks(&f, "{\"a\":\"__proto__\"}"));
    end(&f);
}

/* Whichever patch of several asks for them; and one that looks elsewhere needs none. */
static void leaves_are_there_for_each_patch_that_asks(void **state)
{
    (void)state;
    struct guard_span text = S("evil");
    struct guard_patch patches[] = {
        patch_of("H", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_HEADER, &text)),
        patch_of("P", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_JSON, &text)),
        patch_of("L", leaf(GUARD_OPERATOR_LENGTH, GUARD_PLACE_JSON, NULL)),
        patch_of("Q", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_QUERY, &text)),
    };
    patches[2].when.min = 12;
    struct fixture f;
    begin(&f, patches, 4);
    compile(&f);
    const struct guard_verdict *verdict =
        send(&f, "POST", "/a?q=evil", "application/json", "evil", S("{\"a\":{\"b\":\"evil\"}}"));
    assert_true(hit(verdict, "H") && hit(verdict, "P") && hit(verdict, "Q"));
    assert_false(hit(verdict, "L"));
    verdict = send(&f, "POST", "/a?q=evil", "application/json", "evil", S("{\"a\":\"good\"}"));
    assert_true(hit(verdict, "H") && hit(verdict, "Q"));
    assert_false(hit(verdict, "P") || hit(verdict, "L"));
    verdict = send(&f, "POST", "/a", "application/json", NULL, S("[[\"twelve bytes\"]]"));
    assert_true(hit(verdict, "L"));
    end(&f);
}

/* A query within a document has values of its own, and the document keeps its others. */
static void a_query_is_there_beside_its_document(void **state)
{
    (void)state;
    static const char document[] = "{\"operationName\":null,\"query\":\"query{user(id:\\\"evil"
                                   "\\\"){name}}\",\"variables\":{\"v\":\"bad\"}}";
    struct guard_span evil = S("evil");
    struct guard_span bad = S("bad");
    struct guard_patch patches[] = {
        patch_of("G", leaf(GUARD_OPERATOR_EQUALS, GUARD_PLACE_GRAPHQL, &evil)),
        patch_of("J", leaf(GUARD_OPERATOR_EQUALS, GUARD_PLACE_JSON, &evil)),
        patch_of("C", leaf(GUARD_OPERATOR_CONTAINS, GUARD_PLACE_JSON, &evil)),
        patch_of("V", leaf(GUARD_OPERATOR_EQUALS, GUARD_PLACE_JSON, &bad)),
    };
    struct fixture f;
    begin(&f, patches, 4);
    compile(&f);
    const struct guard_verdict *verdict =
        send(&f, "POST", "/graphql", "application/json", NULL, world_span(document));
    assert_true(hit(verdict, "G") && hit(verdict, "C") && hit(verdict, "V"));
    assert_false(hit(verdict, "J"));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_are_searched_wherever_they_are_kept),
        cmocka_unit_test(leaves_of_later_pieces_are_found),
        cmocka_unit_test(leaves_are_seen_through_encodings),
        cmocka_unit_test(a_leaf_may_hold_lines),
        cmocka_unit_test(names_of_members_are_read_again),
        cmocka_unit_test(leaves_are_there_for_each_patch_that_asks),
        cmocka_unit_test(a_query_is_there_beside_its_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
