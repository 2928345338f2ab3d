/* SPDX-License-Identifier: Apache-2.0 */
/* Leaks in bodies: what the runtimes, databases and servers really print, as text and inside JSON;
 * what only looks like it; and the same answer however the body is cut and wherever a leak stands.
 */
#include "base/span.h"
#include "detect/leak.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BIT(leak) (1u << (GUARD_LEAK_##leak))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct sample {
    uint32_t leaks;
    const char *text;
};

/* Frames and messages were printed by the programs themselves, where one could be run:
 * CPython 3.11, OpenJDK 17, Node.js 20, SQLite 3.40, PostgreSQL 15. The rest is from their manuals.
 * No key here opens anything. */
static const struct sample samples[] = {
    {BIT(STACK_TRACE), "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n"},
    {BIT(STACK_TRACE), "  File \"<string>\", line 3, in <module>\n"},
    {BIT(STACK_TRACE),
     "{\"e\":\"  File \\\"/srv/app/json/decoder.py\\\", line 337, in decode\\n\"}"},
    {BIT(STACK_TRACE), "Exception in thread \"main\" java.lang.IllegalStateException: boom\n"},
    {BIT(STACK_TRACE), "\tat E$Inner.go(E.java:1)\n"},
    {BIT(STACK_TRACE), "{\"trace\":\"x\\n\\tat E.lambda$main$0(E.java:2)\\n\"}"},
    {BIT(STACK_TRACE), "    at java.base/java.lang.Thread.run(Thread.java:840)"},
    {BIT(STACK_TRACE), "\tat java.base/jdk.internal.misc.Unsafe.park(Native Method)\n"},
    {BIT(STACK_TRACE), "\tat com.shop.OrderKt.load(Order.kt:31)\n"},
    {BIT(STACK_TRACE), "Caused by: java.lang.RuntimeException: inner\n\t... 3 more\n"},
    {BIT(STACK_TRACE), "    at f (/srv/app/e.js:1:22)\n"},
    {BIT(STACK_TRACE), "{\"stack\":\"TypeError: x\\n    at Object.<anonymous> (/srv/e.js:2:1)\"}"},
    {BIT(STACK_TRACE), "<pre>Error: x<br> &nbsp; &nbsp;at /srv/app/index.js:12:9</pre>"},
    {BIT(STACK_TRACE), "    at Module._compile (node:internal/modules/cjs/loader:1521:14)\n"},
    {BIT(STACK_TRACE), "    at node:internal/main/run_main_module:28:49\n"},
    {BIT(STACK_TRACE),
     "    at Function.executeUserEntryPoint [as runMain] (/x/run_main.mjs:16:12)"},
    {BIT(STACK_TRACE), "    at async file:///srv/app/main.mjs:3:9\n"},
    {BIT(STACK_TRACE), "app/models/user.rb:12:in `find'"},
    {BIT(STACK_TRACE), "[\"/srv/app/user.rb:12:in 'User.find'\"]"},
    {BIT(STACK_TRACE), "goroutine 1 [running]:\nmain.main()\n"},
    {BIT(STACK_TRACE), "{\"e\":\"goroutine 34 [chan receive, 3 minutes]:\\nmain.f\"}"},
    {BIT(STACK_TRACE), "\t/src/app/main.go:12 +0x1d\n"},
    {BIT(STACK_TRACE), "panic: runtime error: index out of range [3] with length 3"},
    {BIT(STACK_TRACE), "   at Shop.Orders.Load(String id) in C:\\src\\Orders.cs:line 12\n"},
    {BIT(STACK_TRACE), "x\\r\\n   at System.Number.ParseInt32(String s, NumberStyles style)\\r\\n"},
    {BIT(STACK_TRACE), "   --- End of inner exception stack trace ---\n"},
    {BIT(STACK_TRACE), "PHP Fatal error:  Uncaught Error: Call to undefined function f()"},
    {BIT(STACK_TRACE), "<b>Warning</b>:  x in <b>/srv/a.php</b> on line <b>12</b><br />"},
    {BIT(STACK_TRACE), "Notice: Undefined index: id in /srv/a.php on line 3"},
    {BIT(STACK_TRACE), "Stack trace:\n#0 {main}\n  thrown in"},
    {BIT(STACK_TRACE), "{\"m\":\"x\\nStack trace:\\n#0 {main}\"}"},
    {BIT(STACK_TRACE), "#1 /srv/index.php(12): Shop->run()"},
    {BIT(SQL_ERROR), "You have an error in your SQL syntax; check the manual"},
    {BIT(SQL_ERROR), "Unknown column '5' in 'order clause'"},
    {BIT(SQL_ERROR), "ORA-00933: SQL command not properly ended"},
    {BIT(SQL_ERROR), "{\"message\":\"SQLSTATE[42S02]: Base table or view not found\"}"},
    {BIT(SQL_ERROR), "PG::UndefinedTable: ERROR:  x"},
    {BIT(SQL_ERROR), "ActiveRecord::StatementInvalid (PG::SyntaxError: ERROR: x"},
    {BIT(SQL_ERROR), "near \"selec\": syntax error"},
    {BIT(SQL_ERROR), "{\"error\":\"near \\\")\\\": syntax error\"}"},
    {BIT(SQL_ERROR), "unrecognized token: \"'a\""},
    {BIT(SQL_ERROR), "{\"error\":\"unrecognized token: \\\"'a\\\"\"}"},
    {BIT(SQL_ERROR), "{\"error\":\"no such table: users\"}"},
    {BIT(SQL_ERROR), "no such column: users.nix"},
    {BIT(SQL_ERROR), "sqlite3.OperationalError: x"},
    {BIT(SQL_ERROR), "ERROR:  syntax error at or near \"selec\"\nLINE 1: selec 1"},
    {BIT(SQL_ERROR), "unterminated quoted string at or near \"'a\""},
    {BIT(SQL_ERROR), "{\"e\":\"unterminated quoted string at or near \\\"'a\\\"\\nLINE 1\"}"},
    {BIT(SQL_ERROR), "ERROR:  relation \"nix\" does not exist"},
    {BIT(SQL_ERROR), "{\"message\":\"column \\\"nix\\\" does not exist\"}"},
    {BIT(SQL_ERROR), "ERROR:  invalid input syntax for type integer: \"x\""},
    {BIT(SQL_ERROR), "ORDER BY position 5 is not in select list"},
    {BIT(SQL_ERROR), "Unclosed quotation mark after the character string ''."},
    {BIT(SQL_ERROR), "Incorrect syntax near 'x'."},
    {BIT(SQL_ERROR), "(psycopg2.errors.UndefinedTable) x"},
    {BIT(SQL_ERROR), "com.mysql.jdbc.exceptions.jdbc4.MySQLSyntaxErrorException: x"},
    {BIT(SQL_ERROR), "java.sql.SQLSyntaxErrorException: x"},
    {BIT(SQL_ERROR), "org.postgresql.util.PSQLException: x"},
    {BIT(SQL_ERROR), "System.Data.SqlClient.SqlException (0x80131904): x"},
    {BIT(SQL_ERROR), "Warning: mysqli_query(): x"},
    {BIT(SOURCE_CODE), "<?php\nrequire 'a';"},
    {BIT(SOURCE_CODE), "{\"content\":\"<?php\\nrequire\"}"},
    {BIT(SOURCE_CODE), "{\"content\":\"\\u003c?php echo 1;\"}"},
    {BIT(SOURCE_CODE), "<%@ page language=\"java\" %>"},
    {BIT(SOURCE_CODE), "<%@ Page Language=\"C#\" %>"},
    {BIT(SOURCE_CODE), "#!/bin/sh\nset -e\n"},
    {BIT(SOURCE_CODE), "{\"file\":\"#!/usr/bin/env python3\\n\"}"},
    {BIT(PRIVATE_KEY), "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n"},
    {BIT(PRIVATE_KEY), "{\"key\":\"-----BEGIN RSA PRIVATE KEY-----\\nMIIEowIBAAKCAQEA0Z3V\\n\"}"},
    {BIT(PRIVATE_KEY), "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"},
    {BIT(PRIVATE_KEY), "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF3xxxxxxxxxxxxxxx\n"},
    {BIT(CREDENTIAL), "{\"key\":\"AKIA2E0A8F3B244C9986\"}"},
    {BIT(CREDENTIAL), "x\\nASIAQWERTZUIOPLK1234\\n"},
    {BIT(CREDENTIAL), "token=ghp_0a1b2c3d4e5f6g7h8i9j0a1b2c3d4e5f6g7h"},
    {BIT(CREDENTIAL), "github_pat_11AAAAAAA0a1b2c3d4e5f6_0a1b2c3d4e5f6g7h8i9j0"},
    {BIT(CREDENTIAL), "xoxb-"
                      "123456789012-1234567890123-abcdefghijkl"},
    {BIT(CREDENTIAL), "key=AIzaSyA0a1b2c3d4e5f6g7h8i9j0a1b2c3d4e5f&x"},
    {BIT(CREDENTIAL), "\"sk_"
                      "live_0a1b2c3d4e5f6g7h8i9j0a1b\""},
    {BIT(CREDENTIAL), "glpat-0a1b2c3d4e5f6g7h8i9j"},
    {BIT(CARD), "{\"card\":\"4111 1111 1111 1111\"}"},
    {BIT(CARD), "a,card=5555555555554444,b"},
    {BIT(PASSWD), "root:x:0:0:root:/root:/bin/bash\n"},
    {BIT(PASSWD), "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"},
    {BIT(PASSWD), "{\"text\":\"a\\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\\n\"}"},
    {BIT(PASSWD), "<pre>anna:x:1000:1000:Anna,,,:/srv/anna:/bin/bash"},
    {BIT(PASSWD), "{\"t\":\"anna:x:1000:1000::\\/home\\/anna:\\/bin\\/bash\"}"},
    {BIT(PASSWD), "root:$6$0a1b2c3d$0a1b2c3d4e5f6g7h8i9j0a1b2c3d4e5f6g7h8i9j:19000:0:99999:7:::"},
    {BIT(PASSWD), "x\\nanna:$y$j9T$0a1b2c3d4e5f6g7h$0a1b2c3d4e5f6g7h8i9j:19000"},
    {BIT(DIRECTORY), "<html><head><title>Index of /files/</title></head>"},
    {BIT(DIRECTORY), "<title>Directory listing for /</title>"},
    {BIT(DIRECTORY), "<A HREF=\"/\">[To Parent Directory]</A><br>"},
    {BIT(SQL_ERROR) | BIT(STACK_TRACE),
     "Traceback (most recent call last):\n x\nsqlite3.OperationalError: no such table: x"},
};

/* Texts in which the same words are harmless. */
static const char *const harmless[] = {
    "",
    "The stack trace: see below. Fatal errors are logged on line 12 of the log.",
    "Look at com.example.shop (Version 12) and meet at noon (see main.java:12)",
    "See main.js:12:3 or https://example.com/app.js:80 for details",
    "{\"file\":\"app.js\",\"map\":\"app.js:1\"}",
    "import x from 'main.ts'; // main.ts:12:1",
    "We look at the page (https://example.com/a.js?v=1:2)",
    "A goroutine is a lightweight thread; goroutine 1 is main",
    "Caused by: bad weather. Caused by: a driver",
    "Exception in thread handling is explained here",
    "FLORA-00933: a flower; ORA-123 is an office; ORA-000012: too",
    "SQLSTATE is a code. SQLSTATE[5] isn't",
    "\"name\": syntax errors are explained; the file \"x\" does not exist",
    "No such table: try another restaurant. There is no such table: all were taken.",
    "import java.sql.Connection; import psycopg2.pool; com.mysql.jdbc.Driver",
    "&lt;?php echo 1; ?&gt; and <?phpx and <?xml version=\"1.0\"?>",
    "<p>begin with <code>#!/bin/sh</code> or #!/bin/bash in the first line</p>",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n",
    "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "say BEGIN PRIVATE KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n",
    "-----END PRIVATE KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n",
    "AKIAIOSFODNN7EXAMPLE and AKIAXXXXXXXXXXXXXXXX and xAKIA2E0A8F3B244C9986 and AKIA",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx and ghp_123 and sk_live_ and glpat-",
    "AIzaSyA0a1b2c3d4e5f6g7h8i9j0a1b2c3d4e5f6 is too long",
    "PATH=/usr/local/bin:/usr/bin:/bin and a:b:/bin/sh",
    "ratio 1:$6$ and root:$6$short",
    "troot:x:0:0: inside a word",
    "<title>Index of terms</title> <h1>Directory listing for our members</h1>",
    "{\"id\":\"4111111111111112\",\"t\":1764209134000,\"n\":1764209134000123456}",
    "a,5555555555554444,b",
    "41111111-1111-4111-8111-111111111111 DE89370400440532013000",
};

static uint32_t in_pieces(struct guard_span text, size_t first, size_t rest)
{
    struct gd_leaks leaks;
    gd_leaks_begin(&leaks);
    for (size_t at = 0, len = first; at < text.len; at += len, len = rest) {
        if (len > text.len - at)
            len = text.len - at;
        gd_leaks_feed(&leaks, gd_span(text.ptr + at, len));
    }
    return gd_leaks_found(&leaks);
}

static uint32_t leaks_of(const char *text)
{
    struct guard_span span = gd_span(text, strlen(text));
    uint32_t whole = in_pieces(span, span.len, 1);
    for (size_t cut = 1; cut < span.len; cut++)
        assert_int_equal(in_pieces(span, cut, span.len), whole);
    for (size_t len = 1; len < 8; len++)
        assert_int_equal(in_pieces(span, len, len), whole);
    return whole;
}

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++)
        if (leaks_of(samples[i].text) != samples[i].leaks)
            fail_msg("%x, not %x: %s", leaks_of(samples[i].text), samples[i].leaks,
                     samples[i].text);
}

static void test_harmless(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(harmless); i++)
        if (leaks_of(harmless[i]) != 0)
            fail_msg("%x: %s", leaks_of(harmless[i]), harmless[i]);
}

/* Every leak at every place of a body that is larger than what is kept between two pieces, among
 * text through which windows move fast, slowly and in runs of digits. */
static void test_places(void **state)
{
    (void)state;
    static const char *const fillers[] = {"z", "the name of ", "{\"id\":12,\"s\":\"x\"}\n", "0 "};
    for (size_t i = 0; i < COUNT(samples); i++) {
        for (size_t f = 0; f < COUNT(fillers); f++) {
            uint8_t text[1200];
            size_t len = strlen(samples[i].text);
            for (size_t at = 0; at < 600; at += 1 + at % 7) {
                for (size_t k = 0; k < sizeof(text); k++)
                    text[k] = (uint8_t)fillers[f][k % strlen(fillers[f])];
                text[at] = '\n';
                memcpy(text + at + 1, samples[i].text, len);
                text[at + 1 + len] = '\n';
                struct guard_span span = gd_span(text, sizeof(text));
                assert_int_equal(in_pieces(span, sizeof(text), 1), samples[i].leaks);
                assert_int_equal(in_pieces(span, at + len / 2, 1000), samples[i].leaks);
                assert_int_equal(in_pieces(span, 97, 97), samples[i].leaks);
            }
        }
    }
}

static size_t put(char *out, size_t size, size_t at, const char *text)
{
    size_t len = strlen(text);
    if (len > size - at)
        len = size - at;
    memcpy(out + at, text, len);
    return at + len;
}

/* Large bodies as interfaces give them: ids, dates, amounts, texts, links; and scripts. */
static void test_large(void **state)
{
    (void)state;
    static char text[1 << 18];
    static const char *const words[] = {
        "table",  "error",   "line ",   "at ",        "java",   "sql",     "/bin/x", "function",
        "return", "</div>",  "<p>",     "key:",       "native", "syntax",  "near",   "class=\"x\"",
        "\\n",    "\\\"",    "http://", "index.html", "(a.b)",  "{\"a\":", "}],",    "root",
        "select", "product", "PRIVATE", "KEY",        "title",  "akia",    "AKI",    "gh_"};
    struct test_random random = test_random_start("leaks");
    for (unsigned round = 0; round < 20; round++) {
        size_t len = 0;
        while (len < sizeof(text)) {
            char number[48];
            uint64_t r = test_random_next(&random);
            unsigned digits = (unsigned)(r >> 8 & 7);
            if (round % 2 == 0 && r % 3 == 0)
                snprintf(number, sizeof(number), "\"id\":%.*s,\"t\":17642%08u,", (int)digits + 1,
                         "93847561", (unsigned)(r >> 33));
            else if (round % 4 == 2 && r % 5 == 4) /* ids, of which one in fifty is like a card */
                snprintf(number, sizeof(number), "\"order\":%016llu,",
                         (unsigned long long)(test_random_next(&random) % 10000000000000000));
            else if (round % 2 == 0 && r % 3 == 1)
                snprintf(number, sizeof(number), "\"%08x-%04x-4%03x-8%03x-%012x\"",
                         (unsigned)(r >> 32), (unsigned)(r & 0xffff), (unsigned)(r >> 20 & 0xfff),
                         (unsigned)(r >> 8 & 0xfff), (unsigned)(r >> 3));
            else
                snprintf(number, sizeof(number), "%s ", words[r >> 40 & 31]);
            len = put(text, sizeof(text), len, number);
        }
        struct guard_span span = gd_span(text, sizeof(text));
        assert_int_equal(in_pieces(span, span.len, 1), 0);
        assert_int_equal(in_pieces(span, 4096, 4096), 0);
    }
}

/* What has no groups and no name is a card when there are several, and hardly anything else. */
static void test_cards(void **state)
{
    (void)state;
    static const struct {
        uint32_t found;
        const char *text;
    } cases[] = {
        {0, "[4111111111111111]"},
        {0, "[4111111111111111,4012888888881881,5555555555554444]"},
        {0, "[4111111111111111,4111111111111111,4111111111111111,4111111111111111]"},
        {BIT(CARD), "[4111111111111111,4012888888881881,5555555555554444,378282246310005]"},
        {BIT(CARD), "4111111111111111;4012888888881881;4111111111111112;5555555555554444;"
                    "378282246310005"},
        {0, "4111111111111111;4012888888881881;4111111111111112;5555555555554444;4111111111111113;"
            "378282246310005"},
        {BIT(CARD), "{\"id\":4111111111111111,\"card\":4012888888881881}"},
        {BIT(CARD), "{\"ref\":1234567890123456,\"n\":[4111111111111111,4012888888881881,"
                    "1764209134000123456,5555555555554444,378282246310005]}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[700];
        size_t len = strlen(cases[i].text);
        memset(text, ' ', sizeof(text)); /* more than what is kept between two pieces */
        memcpy(text + 300, cases[i].text, len);
        struct guard_span span = gd_span(text, sizeof(text));
        for (size_t first = 290; first <= 500; first++) {
            for (size_t rest = 1; rest < 40; rest += 6) {
                if (in_pieces(span, first, rest) != cases[i].found)
                    fail_msg("case %zu in pieces of %zu, %zu", i, first, rest);
            }
        }
    }
}

static void test_any_time(void **state)
{
    (void)state;
    struct gd_leaks leaks;
    assert_true(sizeof(leaks) <= 320);
    gd_leaks_begin(&leaks);
    assert_int_equal(gd_leaks_found(&leaks), 0);
    gd_leaks_feed(&leaks, gd_span(NULL, 0));
    gd_leaks_feed(&leaks, GUARD_SPAN_LITERAL("{\"e\":\"no such tab"));
    assert_int_equal(gd_leaks_found(&leaks), 0);
    gd_leaks_feed(&leaks, GUARD_SPAN_LITERAL("le: users\","));
    assert_int_equal(gd_leaks_found(&leaks), BIT(SQL_ERROR));
    assert_int_equal(gd_leaks_found(&leaks), BIT(SQL_ERROR));
    for (unsigned i = 0; i < 1000; i++)
        gd_leaks_feed(&leaks, GUARD_SPAN_LITERAL("\"name\":"));
    assert_int_equal(gd_leaks_found(&leaks), BIT(SQL_ERROR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples), cmocka_unit_test(test_harmless),
        cmocka_unit_test(test_places),  cmocka_unit_test(test_large),
        cmocka_unit_test(test_cards),   cmocka_unit_test(test_any_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
