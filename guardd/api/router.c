/* SPDX-License-Identifier: Apache-2.0 */
/* Matches paths by segments; a handful of routes needs no tree. */
#include "router.h"

#include "problem.h"

#include <stdio.h>
#include <string.h>

/* Takes the next segment of a path that begins with '/'; false at its end. */
static bool segment(const char **path, struct guard_span *out)
{
    if (**path != '/')
        return false;
    const char *start = *path + 1;
    size_t len = strcspn(start, "/");
    *out = (struct guard_span){(const uint8_t *)start, len};
    *path = start + len;
    return true;
}

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

static void copy(char *out, size_t cap, struct guard_span text)
{
    size_t len = text.len < cap - 1 ? text.len : cap - 1;
    memcpy(out, text.ptr, len);
    out[len] = '\0';
}

/* A segment that is longer than what it stands for can be is none. */
static bool take(struct api_request *request, struct guard_span name, struct guard_span value)
{
    bool service = same(name, GUARD_SPAN_LITERAL("{service}"));
    char *out = service ? request->service : request->id;
    size_t cap = service ? sizeof(request->service) : sizeof(request->id);
    if (value.len == 0 || value.len >= cap)
        return false;
    copy(out, cap, value);
    return true;
}

static bool matches(struct api_request *request, const char *pattern)
{
    const char *path = request->path + strlen(API_PREFIX);
    struct guard_span want;
    struct guard_span have;
    while (segment(&pattern, &want)) {
        if (!segment(&path, &have))
            return false;
        if (want.len > 0 && want.ptr[0] == '{' ? !take(request, want, have) : !same(want, have))
            return false;
    }
    return *path == '\0';
}

static bool same_method(const char *route, const char *asked)
{
    return strcmp(route, asked) == 0 || (strcmp(route, "GET") == 0 && strcmp(asked, "HEAD") == 0);
}

static void add_allowed(char allow[64], const char *method)
{
    size_t len = strlen(allow);
    snprintf(allow + len, 64 - len, "%s%s%s", len > 0 ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

static bool params_known(const struct api_request *request, const struct api_route *route,
                         struct api_response *response)
{
    if (request->params_left_out) {
        problem(response, 400, "bad-parameter", NULL, "at most %d parameters", API_PARAMS_MAX);
        return false;
    }
    for (uint32_t i = 0; i < request->param_count; i++) {
        const char *name = request->params[i].name;
        bool known = false;
        for (size_t k = 0; k < 8 && route->params[k] != NULL; k++)
            known = known || strcmp(route->params[k], name) == 0;
        for (uint32_t k = 0; k < i; k++)
            known = known && strcmp(request->params[k].name, name) != 0;
        if (!known) {
            problem(response, 400, "bad-parameter", name,
                    "there is no such parameter here, or it stands twice");
            return false;
        }
    }
    return true;
}

const struct api_route *api_route_find(struct api_request *request, struct api_response *response)
{
    char allow[64] = "";
    size_t prefix = strlen(API_PREFIX);
    if (strncmp(request->path, API_PREFIX, prefix) == 0) {
        for (const struct api_route *route = api_routes; route->method != NULL; route++) {
            request->service[0] = request->id[0] = '\0';
            if (!matches(request, route->path))
                continue;
            if (same_method(route->method, request->method)) {
                if (!params_known(request, route, response))
                    return NULL;
                return route;
            }
            add_allowed(allow, route->method);
        }
    }
    if (allow[0] == '\0') {
        problem(response, 404, "no-such-thing", NULL, "nothing is at this path");
        return NULL;
    }
    problem(response, 405, "bad-method", NULL, "the methods here are: %s", allow);
    copy(response->allow, sizeof(response->allow),
         (struct guard_span){(const uint8_t *)allow, strlen(allow)});
    return NULL;
}

bool api_permitted(const struct api_request *request, const struct api_route *route,
                   struct api_response *response)
{
    struct guard_span service = {(const uint8_t *)request->service, strlen(request->service)};
    if (!api_role_has(request->access.role, route->right)) {
        problem(response, 403, "forbidden", NULL, "this needs the right to %s",
                api_right_name(route->right));
        return false;
    }
    if (service.len > 0 && !api_access_covers(&request->access, service)) {
        problem(response, 404, "no-such-service", "service",
                "guardd knows no service of this name");
        return false;
    }
    return true;
}

size_t api_body_max(const char *path, const char *method)
{
    size_t len = strlen(path);
    return strcmp(method, "POST") == 0 && len > 6 && strcmp(path + len - 6, "/piles") == 0
               ? API_REPORT_MAX
               : API_BODY_MAX;
}
