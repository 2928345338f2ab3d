/* SPDX-License-Identifier: Apache-2.0 */
/* A patch for an exploit, proposed: nothing is changed by it. A child of guardd makes it, and the
 * answer waits for that. */
#include "handlers.h"

#include "body.h"
#include "common/file.h"
#include "guardd/proposals.h"
#include "problem.h"

#include <stdio.h>
#include <string.h>

static bool due(const struct api *api, const struct api_request *request, uint64_t now_ms)
{
    return proposals_due(api->view.proposals, request->wait.ticket, now_ms);
}

static struct guard_span span_of(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

/* "": it wasn't said. */
static struct guard_span said(const char *text)
{
    return text[0] != '\0' ? span_of(text) : (struct guard_span){NULL, 0};
}

static bool read_ask(const struct api_body *body, struct api_request *request,
                     struct api_response *response, struct proposal_ask *ask, const char **reason)
{
    const char *exploit;
    const char *benign;
    const char *format;
    const char *id;
    const char *title;
    const char *author;
    if (!api_body_text(body, response, "exploit", true, PROPOSAL_TEXT_MAX, &exploit) ||
        !api_body_text(body, response, "benign", false, PROPOSAL_TEXT_MAX, &benign) ||
        !api_body_text(body, response, "format", false, 16, &format) ||
        !api_body_text(body, response, "id", false, GUARD_PATCH_ID_MAX, &id) ||
        !api_body_text(body, response, "title", false, GUARD_PATCH_TEXT_MAX, &title) ||
        !api_body_text(body, response, "author", false, GUARD_PATCH_TEXT_MAX, &author) ||
        !api_body_text(body, response, "reason", false, CHANGE_REASON_MAX, reason))
        return false;
    if (format[0] != '\0' && !exploit_format_from_name(format, &ask->format)) {
        problem(response, 422, "bad-document", "format",
                "must be auto, raw, curl, har, nuclei or afrog");
        return false;
    }
    ask->exploit = span_of(exploit);
    ask->benign = span_of(benign);
    ask->id = said(id);
    ask->title = said(title);
    ask->author = author[0] != '\0' ? span_of(author) : span_of(api_who(request).by);
    ask->reason = said(*reason);
    return true;
}

/* Who let guardd work on what is told before it does. */
static bool audited(struct api *api, struct api_request *request, struct api_response *response,
                    const struct proposal_ask *ask, const char *reason)
{
    char what[64];
    struct guard_err err;
    const struct audit_who who = api_who(request);
    snprintf(what, sizeof(what), "from an exploit of %zu bytes", ask->exploit.len);
    enum guard_rc rc = audit_append(api->view.state, &who, ask->service->name, "patch propose", "",
                                    what, reason, &err);
    if (rc != GUARD_OK)
        problem_change(response, rc, &err);
    return rc == GUARD_OK;
}

static enum api_step begin(struct api *api, struct api_request *request,
                           struct api_response *response, struct proposal_ask *ask,
                           const char *reason)
{
    struct guard_err err;
    uint64_t ticket = 0;
    if (!audited(api, request, response, ask, reason))
        return API_DONE;
    enum guard_rc rc =
        proposals_begin(api->view.proposals, ask, clock_unix_ms(), PROPOSAL_MS, &ticket, &err);
    if (rc != GUARD_OK) {
        problem(response, 503, "busy", NULL, "%s", err.text);
        response->retry_after_s = 5;
        return API_DONE;
    }
    request->wait = (struct api_wait){.due = due, .ticket = ticket};
    return API_LATER;
}

static enum api_step finish(struct api *api, struct api_request *request,
                            struct api_response *response)
{
    struct guard_err err;
    char *bytes = NULL;
    size_t len = 0;
    enum guard_rc rc =
        proposals_take(api->view.proposals, request->wait.ticket, &bytes, &len, &err);
    if (rc == GUARD_OK) {
        response->bytes = bytes;
        response->len = len;
        response->status = 200;
        response->content_type = "application/json";
    } else if (rc == GUARD_E_SYNTAX) {
        problem(response, 422, "bad-document", "exploit", "%s", err.text);
    } else if (rc == GUARD_E_LIMIT) {
        problem(response, 422, "too-costly", "exploit", "%s", err.text);
    } else {
        problem(response, 503, "busy", NULL, "%s", err.text);
        response->retry_after_s = 5;
    }
    return API_DONE;
}

enum api_step api_proposal(struct api *api, struct api_request *request,
                           struct api_response *response)
{
    static const char *const members[] = {"exploit", "format", "benign", "id",
                                          "title",   "author", "reason", NULL};
    struct api_body body;
    struct proposal_ask ask = {.format = EXPLOIT_AUTO};
    const char *reason;
    enum api_step step = API_DONE;
    response->quiet = true; /* nothing changes */
    if (request->wait.ticket != 0)
        return finish(api, request, response);
    ask.service = api_service(api, request, response);
    if (ask.service == NULL)
        return API_DONE;
    if (api_body_open(&body, request, response, members) &&
        read_ask(&body, request, response, &ask, &reason))
        step = begin(api, request, response, &ask, reason);
    api_body_close(&body);
    return step;
}
