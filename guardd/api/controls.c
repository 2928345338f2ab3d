/* SPDX-License-Identifier: Apache-2.0 */
/* Mode, learning and bypass of a service: shown as guardd has them, changed in the files that
 * guardd and the gates watch. */
#include "handlers.h"

#include "body.h"
#include "bypass.h"
#include "common/client_name.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/lifts.h"
#include "problem.h"

#include <string.h>
#include <unistd.h>

enum { GUARDIAN_ARENA = 16 << 20 };

/* --- bypass --- */

static bool load_bypass(const struct api *api, const struct service *service,
                        struct document *document, struct guard_arena *arena)
{
    char path[STATE_PATH_MAX];
    struct guard_alloc heap = heap_alloc();
    guard_arena_init(arena, &heap, (size_t)1 << 20);
    return state_path(path, api->view.state, "bypass", service->name, ".json") == GUARD_OK &&
           access(path, F_OK) == 0 && document_load(document, path, arena, NULL) == GUARD_OK &&
           number_of(document->root, "until_ms") > (double)clock_unix_ms();
}

bool bypass_in_force(const struct api *api, const struct service *service)
{
    struct document document;
    struct guard_arena arena;
    bool there = load_bypass(api, service, &document, &arena);
    guard_arena_reset(&arena);
    return there;
}

void bypass_json(const struct api *api, const struct service *service, struct json_writer *json,
                 const char *name)
{
    struct document document;
    struct guard_arena arena;
    if (load_bypass(api, service, &document, &arena)) {
        json_open(json, name, '{');
        json_integer(json, "until_ms", whole_of(document.root, "until_ms"));
        json_text(json, "reason", text_of(document.root, "reason"));
        json_text(json, "by", text_of(document.root, "by"));
        json_close(json, '}');
    } else {
        json_null(json, name);
    }
    guard_arena_reset(&arena);
}

static enum api_step answer_bypass(struct api *api, const struct service *service,
                                   struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    bypass_json(api, service, &json, "bypass");
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

enum api_step api_bypass_get(struct api *api, struct api_request *request,
                             struct api_response *response)
{
    const struct service *service = api_service(api, request, response);
    return service != NULL ? answer_bypass(api, service, response) : API_DONE;
}

static bool begin_bypass(struct api *api, struct api_request *request,
                         struct api_response *response, const struct api_body *body)
{
    uint64_t seconds;
    const char *reason;
    struct guard_err err;
    if (!api_body_number(body, response, "seconds", true, BYPASS_SECONDS_MAX, &seconds) ||
        !api_body_text(body, response, "reason", true, CHANGE_REASON_MAX, &reason))
        return false;
    const struct change change = api_change(api, request, reason);
    enum guard_rc rc = change_bypass(&change, (unsigned long)seconds, &err);
    if (rc != GUARD_OK)
        problem_change(response, rc, &err);
    return rc == GUARD_OK;
}

enum api_step api_bypass_put(struct api *api, struct api_request *request,
                             struct api_response *response)
{
    static const char *const members[] = {"seconds", "reason", NULL};
    struct api_body body;
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    bool good = api_body_open(&body, request, response, members) &&
                begin_bypass(api, request, response, &body);
    api_body_close(&body);
    return good ? answer_bypass(api, service, response) : API_DONE;
}

enum api_step api_bypass_delete(struct api *api, struct api_request *request,
                                struct api_response *response)
{
    struct guard_err err;
    const char *reason = api_param(request, "reason");
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    const struct change change = api_change(api, request, reason != NULL ? reason : "");
    enum guard_rc rc = change_bypass_end(&change, &err);
    if (rc == GUARD_OK)
        return answer_bypass(api, service, response);
    problem_change(response, rc, &err);
    return API_DONE;
}

/* --- clients that aren't to be blocked --- */

static void answer_lift(const struct service *service, const char *client, uint64_t seconds,
                        struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_text(&json, "client", client);
    json_integer(&json, "seconds", (int64_t)seconds);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
}

static void lift(struct api *api, struct api_request *request, const struct service *service,
                 const struct api_body *body, struct api_response *response)
{
    const char *text;
    const char *reason;
    uint64_t seconds;
    char client[CLIENT_NAME_MAX];
    struct guard_err err;
    if (!api_body_text(body, response, "client", true, 256, &text) ||
        !api_body_number(body, response, "seconds", true, LIFT_SECONDS_MAX, &seconds) ||
        !api_body_text(body, response, "reason", true, CHANGE_REASON_MAX, &reason))
        return;
    if (!client_name(text, client)) {
        problem(response, 422, "bad-document", "client",
                "must be an address, a prefix or \"subject NAME\"");
        return;
    }
    int lock = -1;
    const struct change change = api_change(api, request, reason);
    enum guard_rc rc = change_lock(&lock, api->view.state, "clients", false, &err);
    if (rc == GUARD_OK)
        rc = change_lift(&change, client, (unsigned long)seconds, &err);
    if (lock >= 0)
        close(lock);
    if (rc == GUARD_OK)
        answer_lift(service, client, seconds, response);
    else
        problem_change(response, rc, &err);
}

enum api_step api_lift(struct api *api, struct api_request *request, struct api_response *response)
{
    static const char *const members[] = {"client", "seconds", "reason", NULL};
    struct api_body body;
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    if (api_body_open(&body, request, response, members))
        lift(api, request, service, &body, response);
    api_body_close(&body);
    return API_DONE;
}

/* --- what is a part of the Guardian --- */

struct control {
    const char *member; /* of bodies and answers */
    /* The word for it as guardd has it. */
    const char *(*word)(const struct guard_guardian *guardian);
    /* GUARD_E_RANGE when there is no such word. */
    enum guard_rc (*change)(const struct change *change, struct guard_guardian *guardian,
                            const char *word, struct guard_arena *arena, struct guard_err *err);
};

static const char *mode_word(const struct guard_guardian *guardian)
{
    return guard_mode_name(guardian->request_mode);
}

static enum guard_rc set_mode(const struct change *change, struct guard_guardian *guardian,
                              const char *word, struct guard_arena *arena, struct guard_err *err)
{
    for (int mode = GUARD_MODE_OBSERVE; mode <= GUARD_MODE_BLOCK; mode++) {
        if (strcmp(word, guard_mode_name((enum guard_mode)mode)) == 0)
            return change_mode(change, guardian, (enum guard_mode)mode, arena, err);
    }
    return guard_fail(err, GUARD_E_RANGE, "mode: must be observe, alert or block");
}

static const char *learning_word(const struct guard_guardian *guardian)
{
    return guardian->learn ? "on" : "paused";
}

static enum guard_rc set_learning(const struct change *change, struct guard_guardian *guardian,
                                  const char *word, struct guard_arena *arena,
                                  struct guard_err *err)
{
    if (strcmp(word, "on") != 0 && strcmp(word, "paused") != 0)
        return guard_fail(err, GUARD_E_RANGE, "learn: must be on or paused");
    return change_learning(change, guardian, strcmp(word, "on") == 0, arena, err);
}

static const struct control mode_control = {"mode", mode_word, set_mode};
static const struct control learning_control = {"learn", learning_word, set_learning};

static enum api_step answer_control(const struct control *control, const struct service *service,
                                    const char *word, struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    json_string(&json, "service", service->name);
    json_text(&json, control->member, word);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

static enum api_step get_control(const struct control *control, struct api *api,
                                 const struct api_request *request, struct api_response *response)
{
    const struct service *service = api_service(api, request, response);
    return service != NULL
               ? answer_control(control, service, control->word(&service->guardian), response)
               : API_DONE;
}

/* Reads the document in place, not what guardd has of it: somebody may just have changed it. */
static enum guard_rc change_document(const struct control *control, const struct change *change,
                                     const char *word, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_guardian guardian;
    int lock = -1;
    GUARD_TRY(change_lock(&lock, change->dir, "guardians", false, err));
    guard_arena_init(&arena, &heap, GUARDIAN_ARENA);
    enum guard_rc rc = change_guardian_of(change->dir, change->service, &arena, &guardian, err);
    if (rc == GUARD_OK)
        rc = control->change(change, &guardian, word, &arena, err);
    guard_arena_reset(&arena);
    close(lock);
    return rc;
}

static enum api_step put_control(const struct control *control, struct api *api,
                                 struct api_request *request, struct api_response *response)
{
    const char *const members[] = {control->member, "reason", NULL};
    struct api_body body;
    const char *word;
    const char *reason;
    struct guard_err err;
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    if (api_body_open(&body, request, response, members) &&
        api_body_text(&body, response, control->member, true, 16, &word) &&
        api_body_text(&body, response, "reason", false, CHANGE_REASON_MAX, &reason)) {
        const struct change change = api_change(api, request, reason);
        enum guard_rc rc = change_document(control, &change, word, &err);
        if (rc == GUARD_OK)
            answer_control(control, service, word, response);
        else
            problem_change(response, rc, &err);
    }
    api_body_close(&body);
    return API_DONE;
}

enum api_step api_mode_get(struct api *api, struct api_request *request,
                           struct api_response *response)
{
    return get_control(&mode_control, api, request, response);
}

enum api_step api_mode_put(struct api *api, struct api_request *request,
                           struct api_response *response)
{
    return put_control(&mode_control, api, request, response);
}

enum api_step api_learning_get(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    return get_control(&learning_control, api, request, response);
}

enum api_step api_learning_put(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    return put_control(&learning_control, api, request, response);
}
