/* SPDX-License-Identifier: Apache-2.0 */
/* From an alert to what would have to become normal for it not to come again: the very things that
 * wait, or why there are none. */
#include "handlers.h"

#include "common/document.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/review_match.h"
#include "common/review_text.h"
#include "problem.h"

#include <stdlib.h>
#include <string.h>

enum { ALERT_ARENA = 8 << 20, OBSERVED_CAP = 96, OF_ONE_MAX = 16, ROOM = 32 * 1024 };

struct teaching {
    const struct service *service; /* NULL: guardd knows none of this name any more */
    const struct document_node *alert;
    struct json_writer *json;
    uint32_t taught; /* findings that something waits of */
};

static struct review_seen seen_of(const struct document_node *alert,
                                  const struct document_node *finding, char observed[OBSERVED_CAP])
{
    review_observed(observed, OBSERVED_CAP, text_of(finding, "observed"));
    return (struct review_seen){text_of(alert, "method"),
                                text_of(alert, "template"),
                                text_of(finding, "part"),
                                text_of(finding, "location"),
                                text_of(finding, "name"),
                                text_of(finding, "rule"),
                                observed};
}

static void write_item(const struct service *service, const struct guard_review_pending *pending,
                       struct json_writer *json)
{
    char title[REVIEW_LINE_MAX];
    char lacks[REVIEW_LACKS_MAX];
    char id[GUARD_REVIEW_ID_CHARS + 1];
    guard_review_id(id, service->name, &pending->element);
    json_open(json, NULL, '{');
    json_text(json, "id", id);
    json_text(json, "title", review_title(title, &pending->element));
    json_integer(json, "clients", pending->clients);
    json_text(json, "lacks", review_lacks(lacks, service->guardian.support, pending));
    json_bool(json, "attack", pending->likeness != 0);
    json_close(json, '}');
}

static void write_finding(struct teaching *teaching, const struct document_node *finding)
{
    char observed[OBSERVED_CAP];
    uint32_t count = 0;
    struct json_writer *json = teaching->json;
    const struct review_seen seen = seen_of(teaching->alert, finding, observed);
    const struct guard_model *model = teaching->service != NULL ? teaching->service->model : NULL;
    json_open(json, NULL, '{');
    json_open(json, "items", '[');
    for (uint32_t i = 0; model != NULL && i < model->pending_count && count < OF_ONE_MAX; i++) {
        const struct guard_review_pending *pending = &model->pending[i];
        if (pending->decision != GUARD_REVIEW_WAITING || api_json_room(json) < ROOM ||
            !review_tells_of(&seen, &pending->element))
            continue;
        write_item(teaching->service, pending, json);
        count++;
    }
    json_close(json, ']');
    json_text(json, "why_not", count > 0 ? "" : review_untaught_text(review_untaught(&seen)));
    json_close(json, '}');
    teaching->taught += count > 0;
}

static void answer(struct api *api, const struct api_request *request,
                   const struct document_node *alert, struct api_response *response)
{
    struct json_writer json;
    struct guard_span name = {(const uint8_t *)request->service, strlen(request->service)};
    struct service *service = services_find(api->view.services, name);
    struct teaching teaching = {.service = service, .alert = alert, .json = &json};
    const struct document_node *list = member_of(alert, "findings");
    if (service != NULL)
        replica_look(api->view.services, service);
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_text(&json, "id", request->id);
    json_text(&json, "service", request->service);
    json_integer(&json, "generation", service != NULL ? (int64_t)service->generation : 0);
    json_open(&json, "findings", '[');
    for (const struct document_node *node =
             list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
         node != NULL; node = node->next)
        write_finding(&teaching, node);
    json_close(&json, ']');
    json_integer(&json, "taught", teaching.taught);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

enum api_step api_alert_review(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    if (api_alert(api, request, response) == API_AGAIN)
        return API_AGAIN;
    if (request->scan.count == 0 || response->status != 200)
        return API_DONE;
    /* The alert, as it would have been answered. */
    char *text = response->bytes;
    response->bytes = NULL;
    guard_arena_init(&arena, &heap, ALERT_ARENA);
    if (document_parse(&document, request->id,
                       (struct guard_span){(const uint8_t *)text, response->len}, &arena,
                       NULL) == GUARD_OK)
        answer(api, request, document.root, response);
    else
        problem(response, 500, "failed", NULL, "the alert can't be read");
    guard_arena_reset(&arena);
    free(text);
    return API_DONE;
}
