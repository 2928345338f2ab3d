/* SPDX-License-Identifier: Apache-2.0 */
/* Inventories in CycloneDX: what is taken of them, and what is refused and where. */
#include "common/sbom/cyclonedx.h"

#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct taken {
    char text[2048];
    uint32_t count;
    bool refuse;
};

static bool take(void *ctx, const struct cyclonedx_component *component)
{
    struct taken *taken = ctx;
    size_t len = strlen(taken->text);
    taken->count++;
    snprintf(taken->text + len, sizeof(taken->text) - len, "%s %.*s/%.*s@%.*s %.*s %.*s\n",
             component->place, (int)component->group.len, (const char *)component->group.ptr,
             (int)component->name.len, (const char *)component->name.ptr,
             (int)component->version.len, (const char *)component->version.ptr,
             (int)component->purl.len, (const char *)component->purl.ptr, (int)component->cpe.len,
             (const char *)component->cpe.ptr);
    return !taken->refuse;
}

static enum guard_rc read_text(struct taken *taken, const char *text, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    guard_arena_init(&arena, &heap, 1 << 20);
    enum guard_rc rc = cyclonedx_read("f", (struct guard_span){(const uint8_t *)text, strlen(text)},
                                      &arena, take, taken, err);
    guard_arena_reset(&arena);
    return rc;
}

static void test_components(void **state)
{
    struct taken taken = {.text = ""};
    struct guard_err err = {.text = ""};
    (void)state;
    enum guard_rc rc = read_text(
        &taken,
        "{\"components\": [\n"
        " {\"type\":\"library\",\"name\":\"\\u0061\",\"version\":\"1\",\"purl\":\"pkg:npm/"
        "a@1\",\"hashes\":[{}]},\n"
        " {\"components\":[{\"name\":\"c\",\"group\":\"g\"}],\"name\":\"b\",\"cpe\":\"cpe:/"
        "a:v:b:2\",\"version\":null}],\n"
        " \"metadata\":{\"tools\":[],\"component\":{\"name\":\"app\",\"components\":[]}},\n"
        " \"specVersion\":\"1.5\",\"bomFormat\":\"CycloneDX\"}\n",
        &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, GUARD_OK);
    assert_string_equal(taken.text, "components[0] /a@1 pkg:npm/a@1 \n"
                                    "components[1].components[0] g/c@  \n"
                                    "components[1] /b@  cpe:/a:v:b:2\n"
                                    "metadata.component /app@  \n");
}

static void check_refused(const char *text, enum guard_rc rc, const char *words)
{
    struct taken taken = {.text = ""};
    struct guard_err err = {.text = ""};
    if (read_text(&taken, text, &err) != rc || strcmp(err.text, words) != 0)
        fail_msg("%s: %s", text, err.text);
}

#define HEAD "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.4\","

static void test_refused(void **state)
{
    (void)state;
    check_refused("", GUARD_E_SYNTAX, "f:1:1: a JSON value is missing");
    check_refused("[]", GUARD_E_SYNTAX, "f:1:1: a CycloneDX document is an object");
    check_refused("{\"spdxVersion\":\"SPDX-2.3\"}", GUARD_E_SYNTAX,
                  "f:1:27: no CycloneDX document: \"bomFormat\" has to say so");
    check_refused("{\"bomFormat\":\"CycloneDX\",\n\"specVersion\":\"2.0\"}", GUARD_E_VERSION,
                  "f:2:21: \"specVersion\" isn't one of 1.2 to 1.7");
    check_refused(HEAD "\n\"components\":{}}", GUARD_E_SYNTAX, "f:2:14: components are a list");
    check_refused(HEAD "\n\"components\":[\n  {},\n  7]}", GUARD_E_SYNTAX,
                  "f:4:3: a component is an object in components[1]");
    check_refused(HEAD "\n\"components\":[{\"purl\":[]}]}", GUARD_E_SYNTAX,
                  "f:2:23: a text is missing in components[0]");
    check_refused(HEAD "\"components\":[{\"name\":\"x", GUARD_E_SYNTAX,
                  "f:1:70: a JSON string has no end");
    check_refused(HEAD "\"components\":[]} x", GUARD_E_SYNTAX, "f:1:63: more behind the document");
}

/* The text repeated count times between the two others; the caller frees. */
static char *repeated(const char *before, const char *text, size_t count, const char *after)
{
    size_t len = strlen(before) + strlen(text) * count + strlen(after) + 1;
    char *out = malloc(len);
    assert_non_null(out);
    size_t at = (size_t)snprintf(out, len, "%s", before);
    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(out + at, len - at, "%s", text);
    snprintf(out + at, len - at, "%s", after);
    return out;
}

static void check_limit(char *text, const char *words)
{
    struct taken taken = {.text = ""};
    struct guard_err err = {.text = ""};
    enum guard_rc rc = read_text(&taken, text, &err);
    free(text);
    assert_int_equal(rc, GUARD_E_LIMIT);
    if (strstr(err.text, words) == NULL)
        fail_msg("%s", err.text);
}

/* Components within components; the caller frees. */
static char *nested(size_t depth)
{
    char *open = repeated(HEAD "\"x\":0", ",\"components\":[{\"y\":0", depth, "");
    char *whole = repeated(open, "}]", depth, "}");
    free(open);
    return whole;
}

static void test_limits(void **state)
{
    (void)state;
    check_limit(nested(CYCLONEDX_DEPTH_MAX + 1), "components are nested too deeply");
    check_limit(repeated(HEAD "\"components\":[{}", ",{}", CYCLONEDX_COMPONENTS_MAX, "]}"),
                "too many components");
}

static void test_depth(void **state)
{
    struct taken taken = {.text = ""};
    char *text = nested(CYCLONEDX_DEPTH_MAX);
    (void)state;
    assert_int_equal(read_text(&taken, text, NULL), GUARD_OK);
    free(text);
    assert_int_equal(taken.count, CYCLONEDX_DEPTH_MAX);
}

static void test_the_taker_may_have_no_memory(void **state)
{
    struct taken taken = {.text = "", .refuse = true};
    (void)state;
    assert_int_equal(read_text(&taken, HEAD "\"components\":[{},{}]}", NULL), GUARD_E_NOMEM);
    assert_int_equal(taken.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_the_taker_may_have_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
