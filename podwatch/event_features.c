/* SPDX-License-Identifier: Apache-2.0 */
/* One event, one feature; two where a program is run that the image didn't bring. */
#include "event_features.h"

#include <string.h>

static struct guard_span text(const char *chars, size_t cap)
{
    size_t len = strnlen(chars, cap);
    return (struct guard_span){len > 0 ? (const uint8_t *)chars : NULL, len};
}

static bool is_shell(struct guard_span program)
{
    static const char *const shells[] = {"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"};
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
        if (program.len == strlen(shells[i]) && memcmp(program.ptr, shells[i], program.len) == 0)
            return true;
    return false;
}

static uint32_t of_program(const struct event_path *event, struct guard_pod_feature *out)
{
    struct guard_span parent = text(event->parent, sizeof(event->parent));
    uint32_t flags = event->head.flags;
    out[0].kind = GUARD_POD_EXEC;
    out[0].user = event->head.user;
    out[0].text = text(event->path, sizeof(event->path));
    if (out[0].text.len == 0)
        out[0].text = text(event->program, sizeof(event->program));
    out[0].detail = parent;
    out[0].flags |= is_shell(parent) ? GUARD_POD_BY_SHELL : 0U;
    out[0].flags |= (flags & EVENT_SESSION) != 0 ? GUARD_POD_SESSION : 0U;
    if ((flags & (EVENT_MEMFD | EVENT_UNLINKED | EVENT_DROPPED)) == 0)
        return 1;
    out[1] = out[0];
    out[1].kind = (flags & EVENT_MEMFD) != 0 ? GUARD_POD_MEMFD : GUARD_POD_DROPPED;
    return 2;
}

static uint32_t of_user(const struct event_path *event, struct guard_pod_feature *out)
{
    out->text = text(event->program, sizeof(event->program));
    out->kind = event->head.user == 0 ? GUARD_POD_ROOT : GUARD_POD_USER;
    out->user = event->head.user == 0 ? event->head.other_user : event->head.user;
    return 1;
}

static uint32_t of_path(const struct event_path *event, struct guard_pod_feature *out)
{
    out->kind = event->head.kind == EVENT_WRITE ? GUARD_POD_WRITE : GUARD_POD_SECRET;
    out->text = text(event->path, sizeof(event->path));
    return 1;
}

/* Addresses of the fourth version in those of the sixth are the former's. */
static void take_address(struct guard_pod_feature *out, const struct event_socket *event)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool is_mapped = event->address_len == 16 && memcmp(event->address, mapped, 12) == 0;
    out->address_len = is_mapped ? 4 : event->address_len;
    memcpy(out->address, event->address + (is_mapped ? 12 : 0), out->address_len);
    out->port = event->port;
    out->transport = event->transport;
}

static bool is_loopback(const struct guard_pod_feature *feature)
{
    static const uint8_t sixth[16] = {[15] = 1};
    return feature->address_len == 4 ? feature->address[0] == 127
                                     : memcmp(feature->address, sixth, sizeof(sixth)) == 0;
}

static uint32_t of_socket(const struct event_socket *event, struct guard_pod_feature *out)
{
    out->kind = event->head.kind == EVENT_LISTEN ? GUARD_POD_LISTEN : GUARD_POD_DESTINATION;
    take_address(out, event);
    return out->kind == GUARD_POD_LISTEN || !is_loopback(out);
}

uint32_t features_of_event(const struct event *event, uint64_t at_ms,
                           struct guard_pod_feature out[EVENT_FEATURES_MAX])
{
    memset(out, 0, EVENT_FEATURES_MAX * sizeof(*out));
    out->count = 1;
    out->first_ms = at_ms;
    out->flags = (event->flags & EVENT_SNAPSHOT) != 0 ? GUARD_POD_SNAPSHOT : 0U;
    switch (event->kind) {
    case EVENT_EXEC:
        return of_program((const struct event_path *)event, out);
    case EVENT_USER:
        return of_user((const struct event_path *)event, out);
    case EVENT_WRITE:
    case EVENT_SECRET:
        return of_path((const struct event_path *)event, out);
    case EVENT_CONNECT:
    case EVENT_LISTEN:
        return of_socket((const struct event_socket *)event, out);
    default:
        return 0;
    }
}
