/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in and out of the console: a session for who showed a token, a certificate or a code, and
 * codes that can be shown once instead of a token. */
#include "handlers.h"

#include "body.h"
#include "common/audit.h"
#include "common/file.h"
#include "problem.h"
#include "sessions.h"

#include <stdio.h>
#include <string.h>

static void write_rights(struct json_writer *json, enum api_role role)
{
    json_open(json, "rights", '[');
    for (int right = API_RIGHT_READ; right < API_RIGHTS; right++) {
        if (api_role_has(role, (enum api_right)right))
            json_text(json, NULL, api_right_name((enum api_right)right));
    }
    json_close(json, ']');
}

static void answer_session(const struct api *api, const struct api_access *access, unsigned status,
                           struct api_response *response)
{
    struct json_writer json;
    bool local = access->role == API_ROLE_LOCAL;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_text(&json, "name", access->name);
    json_text(&json, "role", local ? "local" : access_role_name(access->role));
    json_open(&json, "services", '[');
    for (uint32_t i = 0; i < access->service_count; i++)
        json_text(&json, NULL, access->services[i]);
    json_close(&json, ']');
    write_rights(&json, access->role);
    uint64_t left_ms = session_left_ms(api->sessions, access->session, clock_monotonic_ms());
    json_integer(&json, "seconds", (int64_t)(left_ms / 1000));
    json_close(&json, '}');
    api_json_end(&json, response, status);
}

static void set_cookie(struct api_response *response, const char *secret)
{
    snprintf(response->cookie, sizeof(response->cookie),
             SESSION_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict%s", secret,
             secret[0] == '\0' ? "; Max-Age=0" : "");
}

enum api_step api_session_get(struct api *api, struct api_request *request,
                              struct api_response *response)
{
    answer_session(api, &request->access, 200, response);
    return API_DONE;
}

/* Who was let in without a token in their hands. False after a problem. */
static bool note_login(struct api *api, struct api_request *request, struct api_response *response)
{
    struct guard_err err;
    const struct audit_who who = api_who(request);
    enum guard_rc rc = audit_append(api->view.state, &who, (struct guard_span){NULL, 0},
                                    "login-code-used", "", request->access.name, "", &err);
    if (rc != GUARD_OK)
        problem_change(response, rc, &err);
    return rc == GUARD_OK;
}

enum api_step api_session_post(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    char secret[SESSION_SECRET_LEN + 1];
    uint64_t serial = 0;
    struct api_access *access = &request->access;
    response->quiet = true;
    if (access->role == API_ROLE_LOCAL) {
        problem(response, 409, "no-entry", NULL,
                "sessions belong to a token or a certificate, and this door needs neither");
        return API_DONE;
    }
    if (access->until_ms != 0) {
        problem(response, 409, "no-entry", NULL,
                "sessions belong to a token or a certificate of guardd's own, not to a cluster's");
        return API_DONE;
    }
    if (access->by_code && !note_login(api, request, response))
        return API_DONE;
    enum guard_rc rc = session_begin(api->sessions, access, clock_monotonic_ms(), secret, &serial);
    if (rc == GUARD_OK) {
        access->session = serial;
        set_cookie(response, secret);
        answer_session(api, access, 201, response);
        return API_DONE;
    }
    problem(response, 503, "busy", NULL, "too many sessions, or no randomness");
    response->retry_after_s = 60;
    return API_DONE;
}

enum api_step api_session_delete(struct api *api, struct api_request *request,
                                 struct api_response *response)
{
    struct json_writer json;
    response->quiet = true;
    session_end(api->sessions, request->access.session);
    set_cookie(response, "");
    if (!api_json_begin(&json, response))
        return API_DONE;
    json_open(&json, NULL, '{');
    json_bool(&json, "ended", request->access.session != 0);
    json_close(&json, '}');
    api_json_end(&json, response, 200);
    return API_DONE;
}

/* --- codes --- */

/* The entry that has the name and may use the console. False after a problem. */
static bool find_owner(struct api *api, const char *name, struct session_owner *owner,
                       struct api_response *response)
{
    struct access_list list;
    struct guard_err err;
    bool found = false;
    enum guard_rc rc = access_list_load(&list, api->view.state, &err);
    for (uint32_t i = 0; rc == GUARD_OK && !found && i < list.count; i++) {
        const struct access_entry *entry = &list.entries[i];
        bool expired = entry->expires_ms != 0 && entry->expires_ms <= clock_unix_ms();
        found =
            strcmp(entry->name, name) == 0 && !expired && api_role_has(entry->role, API_RIGHT_READ);
        if (!found)
            continue;
        snprintf(owner->name, sizeof(owner->name), "%s", entry->name);
        snprintf(owner->id, sizeof(owner->id), "%s", entry->id);
        snprintf(owner->subject, sizeof(owner->subject), "%s", entry->subject);
    }
    access_list_free(&list);
    if (rc != GUARD_OK)
        problem_change(response, rc, &err);
    else if (!found)
        problem(response, 404, "no-such-thing", "name",
                "no viewer, operator or admin of this name is on the list");
    return found;
}

static void answer_code(const char *name, const char *code, struct api_response *response)
{
    struct json_writer json;
    if (!api_json_begin(&json, response))
        return;
    json_open(&json, NULL, '{');
    json_text(&json, "name", name);
    json_text(&json, "code", code);
    json_integer(&json, "seconds", SESSION_CODE_MS / 1000);
    json_close(&json, '}');
    api_json_end(&json, response, 201);
}

static void make_code(struct api *api, struct api_request *request, const char *name,
                      struct api_response *response)
{
    struct session_owner owner;
    struct guard_err err;
    char code[SESSION_SECRET_LEN + 1];
    if (!find_owner(api, name, &owner, response))
        return;
    const struct audit_who who = api_who(request);
    enum guard_rc rc = audit_append(api->view.state, &who, (struct guard_span){NULL, 0},
                                    "login-code", "", owner.name, "", &err);
    if (rc != GUARD_OK) {
        problem_change(response, rc, &err);
    } else if (session_code_make(api->sessions, &owner, clock_monotonic_ms(), code) != GUARD_OK) {
        problem(response, 503, "busy", NULL, "too many codes wait to be used");
        response->retry_after_s = 60;
    } else {
        answer_code(owner.name, code, response);
    }
}

enum api_step api_session_code(struct api *api, struct api_request *request,
                               struct api_response *response)
{
    static const char *const members[] = {"name", NULL};
    struct api_body body;
    const char *name;
    response->quiet = true;
    if (!api_access_covers(&request->access, (struct guard_span){NULL, 0})) {
        problem(response, 403, "forbidden", NULL,
                "this needs the right to administer all services");
        return API_DONE;
    }
    if (api_body_open(&body, request, response, members) &&
        api_body_text(&body, response, "name", true, ACCESS_NAME_MAX, &name))
        make_code(api, request, name, response);
    api_body_close(&body);
    return API_DONE;
}
