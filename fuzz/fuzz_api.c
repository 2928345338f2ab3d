/* SPDX-License-Identifier: Apache-2.0 */
/* What clients of guardd's API send beyond HTTP: paths, parameters, cursors, tags, bodies. Whatever
 * it is, it is routed and read, or refused by a problem document that is JSON. */
#include "guardd/api/body.h"
#include "guardd/api/guardian_tag.h"
#include "guardd/api/problem.h"
#include "guardd/api/router.h"

#include "common/document.h"
#include "common/file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The router's own work: what handlers do needs a daemon. */
const struct api_route api_routes[] = {
    {"GET", "/services", {"limit", "cursor"}, NULL, API_RIGHT_READ, SHARED_NONE},
    {"GET", "/services/{service}", {NULL}, NULL, API_RIGHT_READ, SHARED_NONE},
    {"PUT", "/services/{service}/mode", {NULL}, NULL, API_RIGHT_READ, SHARED_NONE},
    {"GET", "/alerts/stream", {"service", "action", "client"}, NULL, API_RIGHT_READ, SHARED_NONE},
    {"GET", "/alerts/{id}", {NULL}, NULL, API_RIGHT_READ, SHARED_NONE},
    {NULL, NULL, {NULL}, NULL, API_RIGHT_READ, SHARED_NONE},
};

/* Parts end with a newline; the rest is the body. */
static char *part(const uint8_t **data, size_t *size)
{
    const uint8_t *end = memchr(*data, '\n', *size);
    size_t len = end != NULL ? (size_t)(end - *data) : *size;
    char *text = malloc(len + 1);
    if (text == NULL)
        abort();
    memcpy(text, *data, len);
    text[len] = '\0';
    len += end != NULL;
    *data += len;
    *size -= len;
    return text;
}

static void check_problem(struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct guard_err err;
    guard_arena_init(&arena, &heap, (size_t)1 << 20);
    if (response->status < 400 || response->status > 599 ||
        document_parse(&document, "problem",
                       (struct guard_span){(const uint8_t *)response->bytes, response->len}, &arena,
                       &err) != GUARD_OK)
        abort();
    guard_arena_reset(&arena);
    free(response->bytes);
    *response = (struct api_response){0};
}

static void read_body(const struct api_request *request)
{
    static const char *const names[] = {"mode", "reason", "seconds", "ids", NULL};
    struct api_body body;
    struct api_response response = {0};
    const char *text;
    uint64_t number;
    bool good = api_body_open(&body, request, &response, names) &&
                api_body_text(&body, &response, "mode", true, 16, &text) &&
                api_body_text(&body, &response, "reason", false, 64, &text) &&
                api_body_number(&body, &response, "seconds", false, 86400, &number);
    api_body_close(&body);
    if (!good)
        check_problem(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *parts[6];
    struct api_response response = {0};
    struct log_position position;
    struct log_filter filter = {0};
    char tag[GUARDIAN_TAG_CAP];
    char place[LOG_POSITION_CAP];
    for (size_t i = 0; i < 6; i++)
        parts[i] = part(&data, &size);
    struct api_request request = {.method = parts[0],
                                  .path = parts[1],
                                  .params = {{parts[2], parts[3]}},
                                  .param_count = parts[2][0] != '\0',
                                  .content_type = parts[5],
                                  .body = {data, size}};
    if (api_route_find(&request, &response) == NULL)
        check_problem(&response);
    if (log_position_read(parts[3], &position)) {
        log_position_write(&position, place);
        struct log_position again;
        if (!log_position_read(place, &again) || again.offset != position.offset ||
            again.inode != position.inode || again.mark != position.mark)
            abort();
    }
    if (log_filter_add(&filter, "service", parts[3]))
        (void)log_filter_matches(&filter, request.body);
    guardian_tag(request.body, tag);
    (void)guardian_tag_named(parts[4], tag);
    struct guard_err err = {.text = ""};
    (void)guard_fail(&err, GUARD_E_SYNTAX, "%s", parts[4]);
    problem_document(&response, 422, &err);
    check_problem(&response);
    read_body(&request);
    for (size_t i = 0; i < 6; i++)
        free(parts[i]);
    return 0;
}
