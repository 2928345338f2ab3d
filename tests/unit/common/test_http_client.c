/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a server that this test is itself: a Unix socket that is read and written
 * between two turns of the client. */
#include "common/http_client.h"

#include "common/file.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[32];
static char path[48];
static int listener;

struct seen {
    int calls;
    unsigned status;
    char body[64];
    char etag[HTTP_ETAG_CAP];
    uint32_t retry_after_s;
    bool failed;
};

static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/guard-http-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/s", folder);
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    return bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                   listen(listener, 16) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    close(listener);
    unlink(path);
    snprintf(path, sizeof(path), "%s/token", folder);
    unlink(path);
    return rmdir(folder);
}

static void on_done(void *ctx, const struct http_answer *answer)
{
    struct seen *seen = ctx;
    seen->calls++;
    seen->status = answer->status;
    seen->failed = answer->failure[0] != '\0';
    seen->retry_after_s = answer->retry_after_s;
    snprintf(seen->body, sizeof(seen->body), "%.*s", (int)answer->body.len,
             answer->body.len > 0 ? (const char *)answer->body.ptr : "");
    snprintf(seen->etag, sizeof(seen->etag), "%s", answer->etag);
}

static struct http_client *open_client(const char *token)
{
    char server[160];
    struct http_client *client = NULL;
    snprintf(server, sizeof(server), "unix:%s", path);
    const struct http_client_cfg cfg = {.server = server, .token_file = token};
    assert_int_equal(http_client_open(&client, &cfg, NULL), GUARD_OK);
    return client;
}

static void turn(struct http_client *client)
{
    struct pollfd waited = {.fd = http_client_fd(client), .events = POLLIN};
    (void)poll(&waited, 1, (int)http_client_wait_ms(client, 20));
    http_client_run(client);
}

/* Accepts, reads until what was sent ends so, answers. */
static void serve(struct http_client *client, const char *ends, char *request, size_t cap,
                  const char *answer)
{
    struct pollfd waited = {.fd = listener, .events = POLLIN};
    for (int i = 0; i < 3000 && poll(&waited, 1, 0) == 0; i++)
        turn(client);
    int fd = accept(listener, NULL, NULL);
    size_t len = 0;
    assert_true(fd >= 0);
    waited.fd = fd;
    request[0] = '\0';
    for (int i = 0; i < 3000 && strstr(request, ends) == NULL; i++) {
        turn(client);
        if (poll(&waited, 1, 0) == 0)
            continue;
        ssize_t n = read(fd, request + len, cap - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
        request[len] = '\0';
    }
    assert_int_equal(write(fd, answer, strlen(answer)), (ssize_t)strlen(answer));
    close(fd);
}

static void finish(struct http_client *client, const struct seen *seen)
{
    for (int i = 0; i < 3000 && seen->calls == 0; i++)
        turn(client);
    assert_int_equal(seen->calls, 1);
    assert_int_equal(http_client_busy(client), 0);
}

static void test_a_request_and_its_answer(void **state)
{
    char request[2048];
    char token[128];
    struct seen seen = {.calls = 0};
    (void)state;
    snprintf(token, sizeof(token), "%s/token", folder);
    assert_int_equal(file_replace(token, GUARD_SPAN_LITERAL("secret-word\n"), 0600, false, NULL),
                     GUARD_OK);
    struct http_client *client = open_client(token);
    const struct http_request asked = {.method = "POST",
                                       .path = "/api/v1/x?y=1",
                                       .headers = {"Content-Type: a/b"},
                                       .body = GUARD_SPAN_LITERAL("the body"),
                                       .answer_max = 63,
                                       .timeout_ms = 60000,
                                       .done = on_done,
                                       .ctx = &seen};
    assert_int_equal(http_client_start(client, &asked, NULL), GUARD_OK);
    serve(client, "the body", request, sizeof(request),
          "HTTP/1.1 503 Busy\r\nETag: \"4-2\"\r\nRetry-After: 7\r\nContent-Length: 4\r\n"
          "Connection: close\r\n\r\nlate");
    finish(client, &seen);
    assert_non_null(strstr(request, "POST /api/v1/x?y=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "Authorization: Bearer secret-word\r\n"));
    assert_non_null(strstr(request, "Content-Type: a/b\r\n"));
    assert_null(strstr(request, "Expect:"));
    assert_int_equal(seen.status, 503);
    assert_string_equal(seen.body, "late");
    assert_string_equal(seen.etag, "\"4-2\"");
    assert_int_equal(seen.retry_after_s, 7);
    http_client_close(client);
}

static void ask(struct http_client *client, struct seen *seen, size_t max, uint32_t ms)
{
    const struct http_request asked = {.method = "GET",
                                       .path = "/",
                                       .answer_max = max,
                                       .timeout_ms = ms,
                                       .done = on_done,
                                       .ctx = seen};
    assert_int_equal(http_client_start(client, &asked, NULL), GUARD_OK);
}

static void test_what_is_too_long_late_or_elsewhere_is_a_failure(void **state)
{
    char request[2048];
    struct seen seen = {.calls = 0};
    struct http_client *client = open_client(NULL);
    (void)state;
    ask(client, &seen, 3, 60000);
    serve(client, "\r\n\r\n", request, sizeof(request),
          "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong");
    finish(client, &seen);
    assert_int_equal(seen.status, 0);
    assert_true(seen.failed);
    /* Nobody answers. */
    seen = (struct seen){.calls = 0};
    ask(client, &seen, 3, 50);
    finish(client, &seen);
    assert_true(seen.failed && seen.status == 0);
    close(accept(listener, NULL, NULL));
    /* A redirect is an answer, and isn't followed. */
    seen = (struct seen){.calls = 0};
    ask(client, &seen, 100, 60000);
    serve(client, "\r\n\r\n", request, sizeof(request),
          "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n"
          "Connection: close\r\n\r\n");
    finish(client, &seen);
    assert_int_equal(seen.status, 302);
    http_client_close(client);
}

static void test_closing_ends_what_is_under_way(void **state)
{
    struct seen seen[2] = {{.calls = 0}, {.calls = 0}};
    struct http_client *client = open_client(NULL);
    (void)state;
    ask(client, &seen[0], 10, 60000);
    ask(client, &seen[1], 10, 60000);
    turn(client);
    assert_int_equal(http_client_busy(client), 2);
    http_client_close(client);
    assert_int_equal(seen[0].calls, 1);
    assert_int_equal(seen[1].calls, 1);
    assert_true(seen[0].failed && seen[0].status == 0);
}

/* What was begun and not sent yet is never seen by the server; all else goes on. */
static void test_what_is_revoked_is_never_sent(void **state)
{
    struct http_client *client = open_client(NULL);
    struct seen revoked = {.calls = 0}, other = {.calls = 0};
    struct pollfd waited = {.fd = listener, .events = POLLIN};
    char request[2048];
    const struct http_request first = {.method = "PUT",
                                       .path = "/revoked",
                                       .body = GUARD_SPAN_LITERAL("x"),
                                       .answer_max = 1000,
                                       .timeout_ms = 60000,
                                       .revocable = true,
                                       .done = on_done,
                                       .ctx = &revoked};
    struct http_request second = first;
    (void)state;
    second.path = "/other";
    second.revocable = false;
    second.ctx = &other;
    assert_int_equal(http_client_start(client, &first, NULL), GUARD_OK);
    assert_int_equal(http_client_start(client, &second, NULL), GUARD_OK);
    assert_int_equal(http_client_start(client, &first, NULL), GUARD_OK);
    http_client_revoke(client);
    assert_int_equal(revoked.calls, 2);
    assert_true(revoked.failed && revoked.status == 0);
    assert_int_equal(http_client_busy(client), 1);
    serve(client, "\r\n\r\nx", request, sizeof(request),
          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(request, "PUT /other "));
    for (int i = 0; i < 3000 && other.calls == 0; i++)
        turn(client);
    assert_int_equal(other.status, 200);
    assert_int_equal(poll(&waited, 1, 0), 0); /* nobody else came */
    http_client_revoke(client);
    http_client_close(client);
}

static void test_what_can_be_begun_is_bounded(void **state)
{
    static struct seen seen;
    char token[128];
    struct http_client *client = open_client(NULL);
    const struct http_request asked = {
        .method = "GET", .path = "/", .timeout_ms = 1000, .done = on_done, .ctx = &seen};
    struct guard_err err;
    (void)state;
    for (int i = 0; i < HTTP_REQUESTS_MAX; i++)
        assert_int_equal(http_client_start(client, &asked, &err), GUARD_OK);
    assert_int_equal(http_client_start(client, &asked, &err), GUARD_E_LIMIT);
    http_client_close(client);
    assert_int_equal(seen.calls, HTTP_REQUESTS_MAX);
    snprintf(token, sizeof(token), "%s/token", folder);
    assert_int_equal(file_replace(token, GUARD_SPAN_LITERAL("two\r\nlines"), 0600, false, NULL),
                     GUARD_OK);
    client = open_client(token);
    assert_int_equal(http_client_start(client, &asked, &err), GUARD_E_IO);
    http_client_close(client);
}

/* --- what doesn't end --- */

struct pieces {
    struct seen seen; /* first: on_done knows it */
    char text[64];
    char type[HTTP_TYPE_CAP];
    int count;
    int most;
};

static bool on_piece(void *ctx, struct guard_span piece)
{
    struct pieces *pieces = ctx;
    size_t len = strlen(pieces->text);
    snprintf(pieces->text + len, sizeof(pieces->text) - len, "%.*s", (int)piece.len,
             (const char *)piece.ptr);
    return ++pieces->count < pieces->most;
}

static void on_pieces_done(void *ctx, const struct http_answer *answer)
{
    struct pieces *pieces = ctx;
    on_done(&pieces->seen, answer);
    snprintf(pieces->type, sizeof(pieces->type), "%s", answer->content_type);
}

static void ask_pieces(const char *answer, int most, struct pieces *pieces)
{
    char request[1024];
    char server[160];
    struct http_client *client = NULL;
    snprintf(server, sizeof(server), "unix:%s", path);
    const struct http_client_cfg cfg = {.server = server, .token = "secret"};
    const struct http_request asked = {.method = "GET",
                                       .path = "/",
                                       .answer_max = 16,
                                       .timeout_ms = 20000,
                                       .part = on_piece,
                                       .part_type = "text/event-stream",
                                       .done = on_pieces_done,
                                       .ctx = pieces};
    *pieces = (struct pieces){.most = most};
    assert_int_equal(http_client_open(&client, &cfg, NULL), GUARD_OK);
    assert_int_equal(http_client_start(client, &asked, NULL), GUARD_OK);
    serve(client, "\r\n\r\n", request, sizeof(request), answer);
    finish(client, &pieces->seen);
    assert_non_null(strstr(request, "\r\nAuthorization: Bearer secret\r\n"));
    http_client_close(client);
}

static void test_an_endless_answer_is_handed_on(void **state)
{
    struct pieces pieces;
    (void)state;
    ask_pieces("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
               "more than fits into an answer",
               100, &pieces);
    assert_string_equal(pieces.text, "more than fits into an answer");
    assert_true(pieces.seen.status == 200 && !pieces.seen.failed && pieces.seen.body[0] == '\0');
    assert_string_equal(pieces.type, "text/event-stream");
    ask_pieces("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nx", 1, &pieces);
    assert_true(pieces.seen.failed && pieces.count == 1);
    /* Anything else is an answer like others, and bounded. */
    ask_pieces("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nshort", 100, &pieces);
    assert_true(pieces.count == 0 && pieces.seen.status == 200);
    assert_string_equal(pieces.seen.body, "short");
    ask_pieces("HTTP/1.1 503 No\r\nContent-Type: text/event-stream\r\n\r\nbusy", 100, &pieces);
    assert_true(pieces.count == 0 && pieces.seen.status == 503);
    ask_pieces("HTTP/1.1 200 OK\r\n\r\nmore than fits into an answer", 100, &pieces);
    assert_true(pieces.count == 0 && pieces.seen.failed);
}

static void test_servers(void **state)
{
    static const char *const good[] = {"unix:/x", "http://localhost:80", "https://a.example",
                                       "https://[::1]:8443"};
    static const char *const bad[] = {"",          "unix:",      "ftp://x",    "http://",
                                      "http://a/", "http://u@h", "https://:1", "file:///x",
                                      "a",         "http://a b", "https://a?b"};
    struct guard_err err;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(http_server_check(good[i], &err), GUARD_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(http_server_check(bad[i], &err), GUARD_E_RANGE);
}

/* What a client says to its own server isn't for others. */
static void test_a_request_to_another_server_goes_without_a_token(void **state)
{
    (void)state;
    struct seen seen = {.calls = 0};
    struct http_client *client = NULL;
    struct guard_err err;
    struct http_request request = {.method = "GET",
                                   .path = "/",
                                   .server = "http://127.0.0.1:1",
                                   .timeout_ms = 5000,
                                   .done = on_done,
                                   .ctx = &seen};
    const struct http_client_cfg cfgs[] = {{.server = "http://127.0.0.1:2", .token = "secret"},
                                           {.server = "http://127.0.0.1:2", .token_file = "/none"}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(http_client_open(&client, &cfgs[i], NULL), GUARD_OK);
        assert_int_equal(http_client_start(client, &request, &err), GUARD_E_RANGE);
        http_client_close(client);
    }
    const struct http_client_cfg plain = {.server = "http://127.0.0.1:2"};
    assert_int_equal(http_client_open(&client, &plain, NULL), GUARD_OK);
    request.server = "unix:/tmp/s";
    assert_int_equal(http_client_start(client, &request, &err), GUARD_E_RANGE);
    request.server = "http://127.0.0.1:1/path";
    assert_int_equal(http_client_start(client, &request, &err), GUARD_E_RANGE);
    assert_int_equal(seen.calls, 0);
    request.server = "http://127.0.0.1:1";
    assert_int_equal(http_client_start(client, &request, &err), GUARD_OK);
    while (seen.calls == 0)
        turn(client);
    assert_int_equal(seen.status, 0); /* nobody is there */
    http_client_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_request_and_its_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_too_long_late_or_elsewhere_is_a_failure,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closing_ends_what_is_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_revoked_is_never_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_can_be_begun_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_endless_answer_is_handed_on, set_up, tear_down),
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_a_request_to_another_server_goes_without_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
