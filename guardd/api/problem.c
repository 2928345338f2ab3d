/* SPDX-License-Identifier: Apache-2.0 */
/* Problem documents. Paths of this machine don't leave it: of what readers say only the part behind
 * the document's name does. */
#include "problem.h"

#include "common/clean.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBLEM_MAX = 4096, DETAIL_MAX = 512 };

struct place {
    const char *field;
    long line;
    long column;
};

static const char *title_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } titles[] = {{400, "Bad Request"},
                  {401, "Unauthorized"},
                  {403, "Forbidden"},
                  {404, "Not Found"},
                  {405, "Method Not Allowed"},
                  {406, "Not Acceptable"},
                  {409, "Conflict"},
                  {412, "Precondition Failed"},
                  {413, "Content Too Large"},
                  {415, "Unsupported Media Type"},
                  {422, "Unprocessable Content"},
                  {428, "Precondition Required"},
                  {429, "Too Many Requests"},
                  {503, "Service Unavailable"},
                  {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (titles[i].status == status)
            return titles[i].title;
    }
    return "Internal Server Error";
}

static void answer(struct api_response *response, unsigned status, const char *kind,
                   const struct place *place, const char *detail)
{
    static char no_memory[] = "{\"type\":\"urn:guard:problem:no-memory\",\"title\":\"Internal "
                              "Server Error\",\"status\":500,\"detail\":\"no memory\"}";
    char type[64];
    struct json_writer json;
    if (!response->constant)
        free(response->bytes);
    *response = (struct api_response){.status = status, .content_type = "application/problem+json"};
    response->bytes = malloc(PROBLEM_MAX);
    if (response->bytes == NULL) {
        response->status = 500;
        response->bytes = no_memory;
        response->len = sizeof(no_memory) - 1;
        response->constant = true;
        return;
    }
    snprintf(type, sizeof(type), "urn:guard:problem:%s", kind);
    json_writer_init(&json, response->bytes, PROBLEM_MAX);
    json_open(&json, NULL, '{');
    json_text(&json, "type", type);
    json_text(&json, "title", title_of(status));
    json_integer(&json, "status", status);
    json_text(&json, "detail", detail);
    if (place->field != NULL)
        json_text(&json, "field", place->field);
    if (place->line > 0) {
        json_integer(&json, "line", place->line);
        json_integer(&json, "column", place->column);
    }
    json_close(&json, '}');
    response->len = json.len;
}

void problem(struct api_response *response, unsigned status, const char *kind, const char *field,
             const char *format, ...)
{
    char detail[DETAIL_MAX];
    char shown[DETAIL_MAX];
    const struct place place = {.field = field};
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    answer(response, status, kind, &place, clean(shown, sizeof(shown), detail, strlen(detail)));
}

/* Behind "name:line:column: "; the text itself when there is no such thing. */
static const char *behind_position(const char *text, struct place *place)
{
    for (const char *at = strchr(text, ':'); at != NULL; at = strchr(at + 1, ':')) {
        char *end = NULL;
        long line = at[1] >= '0' && at[1] <= '9' ? strtol(at + 1, &end, 10) : 0;
        if (line <= 0 || *end != ':' || end[1] < '0' || end[1] > '9')
            continue;
        place->line = line;
        place->column = strtol(end + 1, &end, 10);
        return end[0] == ':' && end[1] == ' ' ? end + 2 : end;
    }
    return text;
}

enum { PATH_MAX_LEN = 128 };

/* "(at a.b[0])" at the end, else the word before ": " at the beginning. */
static void find_field(const char *text, char out[DETAIL_MAX])
{
    const char *at = strstr(text, " (at ");
    size_t len = strlen(text);
    out[0] = '\0';
    if (at != NULL && len > 0 && text[len - 1] == ')') {
        snprintf(out, DETAIL_MAX, "%.*s", (int)(text + len - 1 - (at + 5)), at + 5);
        return;
    }
    size_t word = strcspn(text, ": ");
    if (text[word] == ':' && word > 0 && word < PATH_MAX_LEN)
        snprintf(out, DETAIL_MAX, "%.*s", (int)word, text);
}

void problem_document(struct api_response *response, unsigned status, const struct guard_err *err)
{
    struct place place = {.field = NULL};
    char field[DETAIL_MAX];
    char shown[DETAIL_MAX];
    const char *text = behind_position(err->text, &place);
    find_field(text, field);
    if (field[0] != '\0')
        place.field = field;
    answer(response, status, "bad-document", &place,
           clean(shown, sizeof(shown), text, strlen(text)));
}

void problem_change(struct api_response *response, enum guard_rc rc, const struct guard_err *err)
{
    switch ((int)rc) {
    case GUARD_E_STATE:
        problem(response, 409, "conflict", NULL, "%s", err->text);
        break;
    case GUARD_E_RANGE:
    case GUARD_E_LIMIT:
    case GUARD_E_SYNTAX:
    case GUARD_E_VERSION:
    case GUARD_E_FOREIGN:
        problem_document(response, 422, err);
        break;
    case GUARD_E_IO:
        problem(response, 507, "not-written", NULL, "the state directory can't be written");
        break;
    default:
        problem(response, 500, "failed", NULL, "%s", err->text);
        break;
    }
}
