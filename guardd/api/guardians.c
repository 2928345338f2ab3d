/* SPDX-License-Identifier: Apache-2.0 */
/* Guardian documents: shown as YAML or JSON, and replaced by who knows the one in place. The file
 * keeps what was sent, comments and all; guardd reads it at its next turn. */
#include "handlers.h"

#include "body.h"
#include "common/file.h"
#include "common/guardian.h"
#include "common/guardian_diff.h"
#include "common/json_document.h"
#include "guardian_tag.h"
#include "problem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_MAX = 96 << 20, AUDITED_MAX = 2000 };

/* The document in place, or what holds without one. */
struct current {
    struct guard_arena arena;
    uint8_t *file; /* NULL: there is none */
    struct guard_span text;
    struct guard_guardian guardian; /* the default when the document is broken */
    bool broken;
    struct guard_err err; /* why */
    char tag[GUARDIAN_TAG_CAP];
};

static enum guard_rc open_current(struct current *current, const char *state,
                                  struct guard_span name)
{
    struct guard_alloc heap = heap_alloc();
    char path[STATE_PATH_MAX];
    size_t len = 0;
    memset(current, 0, sizeof(*current));
    guard_arena_init(&current->arena, &heap, ARENA_MAX);
    guard_guardian_default(&current->guardian, name);
    GUARD_TRY(state_path(path, state, "guardians", name, ".yaml"));
    enum guard_rc rc = file_read(path, DOCUMENT_BYTES_MAX, &current->file, &len, &current->err);
    if (rc == GUARD_OK) {
        current->text = (struct guard_span){current->file, len};
        current->broken = guardian_parse(&current->guardian, "guardian", current->text,
                                         &current->arena, &current->err) != GUARD_OK;
        if (current->broken)
            guard_guardian_default(&current->guardian, name);
    } else if (errno == ENOENT) {
        rc = guardian_write(&current->guardian, &current->arena, &current->text, &current->err);
    }
    guardian_tag(current->text, current->tag);
    return rc;
}

static void close_current(struct current *current)
{
    free(current->file);
    guard_arena_reset(&current->arena);
}

/* --- showing --- */

static void answer_yaml(const struct current *current, struct api_response *response)
{
    response->bytes = malloc(current->text.len + 1);
    if (response->bytes == NULL) {
        problem(response, 500, "failed", NULL, "no memory");
        return;
    }
    memcpy(response->bytes, current->text.ptr, current->text.len);
    response->len = current->text.len;
    response->status = 200;
    response->content_type = "application/yaml";
}

/* By way of the canonical text, whose scalars are written as what they are. */
static void answer_json(struct current *current, struct api_response *response)
{
    struct guard_span text;
    struct document document;
    struct json_writer json;
    if (current->broken) {
        problem_document(response, 422, &current->err);
        return;
    }
    if (guardian_write(&current->guardian, &current->arena, &text, &current->err) != GUARD_OK ||
        document_parse(&document, "guardian", text, &current->arena, &current->err) != GUARD_OK) {
        problem(response, 500, "failed", NULL, "%s", current->err.text);
        return;
    }
    if (!api_json_begin(&json, response))
        return;
    json_document(&json, NULL, document.root);
    api_json_end(&json, response, 200);
}

enum api_step api_guardian_get(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    struct current current;
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    bool yaml = request->accept != NULL && strstr(request->accept, "yaml") != NULL;
    enum guard_rc rc = open_current(&current, api->view.state, service->name);
    char etag[GUARDIAN_TAG_CAP + 16];
    snprintf(etag, sizeof(etag), "\"%s%s\"", current.tag, yaml ? "-yaml" : "");
    if (rc != GUARD_OK)
        problem_change(response, rc, &current.err);
    else if (request->if_none_match != NULL &&
             guardian_tag_named(request->if_none_match, current.tag))
        *response = (struct api_response){.status = 304};
    else if (yaml)
        answer_yaml(&current, response);
    else
        answer_json(&current, response);
    if (response->status < 400)
        snprintf(response->etag, sizeof(response->etag), "%s", etag);
    close_current(&current);
    return API_DONE;
}

/* --- replacing --- */

/* Who replaces a document must know it; who makes one must know that there is none. */
static bool allowed(const struct current *current, const struct api_request *request,
                    struct api_response *response)
{
    if (request->if_match == NULL && request->if_none_match == NULL) {
        problem(
            response, 428, "precondition-needed", "If-Match",
            "give the ETag of the document that is replaced, or If-None-Match: * for a new one");
        return false;
    }
    bool good = request->if_match == NULL || guardian_tag_named(request->if_match, current->tag);
    if (request->if_none_match != NULL)
        good = good && strcmp(request->if_none_match, "*") == 0 && current->file == NULL;
    if (!good)
        problem(response, 412, "changed-meanwhile",
                request->if_match != NULL ? "If-Match" : "If-None-Match",
                "the document in place is another one: read it again");
    return good;
}

struct difference {
    struct json_writer *json;
    char before[AUDITED_MAX];
    char after[AUDITED_MAX];
    uint32_t left_out;
};

static void add_difference(void *ctx, const char *line)
{
    struct difference *difference = ctx;
    char *side = line[0] == '-' ? difference->before : difference->after;
    size_t len = strlen(side);
    snprintf(side + len, AUDITED_MAX - len, "%s%s", len > 0 ? "; " : "", line + 2);
    if (api_json_room(difference->json) > (size_t)32 * 1024)
        json_text(difference->json, NULL, line);
    else
        difference->left_out++;
}

/* Everything but the change itself; what differs goes into the answer that is open. */
static enum guard_rc compare(struct current *current, const struct guard_guardian *guardian,
                             struct difference *difference, struct guard_err *err)
{
    const struct line_sink sink = {add_difference, difference};
    uint32_t said;
    json_open(difference->json, "differences", '[');
    GUARD_TRY(guardian_diff(&current->guardian, guardian, &current->arena, &sink, &said, err));
    json_close(difference->json, ']');
    json_integer(difference->json, "left_out", difference->left_out);
    return GUARD_OK;
}

static enum guard_rc read_new(const struct api_request *request, struct current *current,
                              struct guard_guardian *out, struct guard_err *err)
{
    GUARD_TRY(guardian_parse(out, "guardian", request->body, &current->arena, err));
    if (out->service.len != strlen(request->service) ||
        memcmp(out->service.ptr, request->service, out->service.len) != 0)
        return guard_fail(err, GUARD_E_FOREIGN, "service: must be the one of the path");
    return GUARD_OK;
}

static void apply(struct api *api, struct api_request *request, struct api_response *response,
                  struct current *current, bool dry)
{
    struct guard_guardian guardian;
    struct json_writer json;
    struct guard_err err;
    struct difference difference = {.json = &json};
    const char *reason = api_param(request, "reason");
    const struct change change = api_change(api, request, reason != NULL ? reason : "");
    enum guard_rc rc = read_new(request, current, &guardian, &err);
    if (rc != GUARD_OK) {
        problem_document(response, 422, &err);
        return;
    }
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_text(&json, "service", request->service);
    json_bool(&json, "applied", !dry);
    rc = compare(current, &guardian, &difference, &err);
    json_close(&json, '}');
    if (rc == GUARD_OK && !dry)
        rc = change_guardian(&change, request->body, difference.before, difference.after, &err);
    if (rc != GUARD_OK) {
        problem_change(response, rc, &err);
        return;
    }
    api_json_end(&json, response, dry || current->file != NULL ? 200 : 201);
    char tag[GUARDIAN_TAG_CAP];
    guardian_tag(dry ? current->text : request->body, tag);
    snprintf(response->etag, sizeof(response->etag), "\"%s\"", tag);
}

static void put(struct api *api, struct api_request *request, struct api_response *response,
                bool dry)
{
    struct current current;
    struct guard_span name = {(const uint8_t *)request->service, strlen(request->service)};
    enum guard_rc rc = open_current(&current, api->view.state, name);
    if (rc != GUARD_OK)
        problem_change(response, rc, &current.err);
    else if (allowed(&current, request, response))
        apply(api, request, response, &current, dry);
    close_current(&current);
}

enum api_step api_guardian_put(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    struct guard_span name = {(const uint8_t *)request->service, strlen(request->service)};
    struct guard_err err;
    bool dry;
    int lock = -1;
    if (!api_param_bool(request, response, "dryRun", &dry))
        return API_DONE;
    if (!api_body_is_document(request, response))
        return API_DONE;
    if (!state_service_valid(name)) {
        problem(response, 422, "bad-name", "service",
                "a service's name is 1 to 64 letters, digits, '.', '_' or '-'");
        return API_DONE;
    }
    /* Only who says that it is new makes a service: a mistyped name must not. */
    if (request->if_none_match == NULL && api_service(api, request, response) == NULL)
        return API_DONE;
    enum guard_rc rc = change_lock(&lock, api->view.state, "guardians", false, &err);
    if (rc != GUARD_OK) {
        problem_change(response, rc, &err);
        return API_DONE;
    }
    put(api, request, response, dry);
    close(lock);
    return API_DONE;
}
