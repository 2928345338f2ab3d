/* SPDX-License-Identifier: Apache-2.0 */
/* Names of control groups. Those of a container's inside are the container's own choice, so only
 * what stands directly below a pod's group names a container. */
#include "common/pods/cgroup_name.h"

#include <string.h>

enum { LEVELS_MAX = 32, UID_MIN = 32, UID_MAX = 64, ID_MIN = 12 };

static bool is_hex(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

static bool ends_with(struct guard_span name, const char *end)
{
    size_t len = strlen(end);
    return name.len >= len && memcmp(name.ptr + name.len - len, end, len) == 0;
}

static struct guard_span without_end(struct guard_span name, const char *end)
{
    return ends_with(name, end) ? (struct guard_span){name.ptr, name.len - strlen(end)} : name;
}

void pod_name_clean(char *out, size_t size, struct guard_span text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = text.ptr[i];
        bool plain = byte > ' ' && byte < 0x7f && byte != '/' && byte != '"' && byte != '\\';
        out[i] = plain ? (char)byte : '_';
    }
    if (len == 0)
        out[len++] = '-';
    out[len] = '\0';
}

/* A UUID with '-' or '_', or the hash of a static pod's file. */
static bool is_uid(struct guard_span text)
{
    if (text.len < UID_MIN || text.len > UID_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_hex(text.ptr[i]) && text.ptr[i] != '-' && text.ptr[i] != '_')
            return false;
    return true;
}

/* "pod<uid>", "kubepods-burstable-pod<uid>.slice". */
static bool pod_uid(struct guard_span name, struct guard_span *uid)
{
    struct guard_span text = without_end(name, ".slice");
    bool slice = text.len != name.len;
    for (size_t i = 0; i + 3 < text.len; i++) {
        if (memcmp(text.ptr + i, "pod", 3) != 0)
            continue;
        bool begins = slice ? i > 0 && text.ptr[i - 1] == '-' : i == 0;
        *uid = (struct guard_span){text.ptr + i + 3, text.len - i - 3};
        if (begins && is_uid(*uid))
            return true;
    }
    return false;
}

/* The hexadecimal digits that an id is, behind the name of the runtime if there is one. */
static bool container_id(struct guard_span name, struct guard_span *id)
{
    struct guard_span text = without_end(name, ".scope");
    size_t begin = text.len;
    while (begin > 0 && is_hex(text.ptr[begin - 1]))
        begin--;
    *id = (struct guard_span){text.ptr + begin, text.len - begin};
    return id->len >= ID_MIN && (begin == 0 || text.ptr[begin - 1] == '-');
}

static void take_pod(struct pod_cgroup *out, struct guard_span uid)
{
    pod_name_clean(out->pod, sizeof(out->pod), uid);
    for (char *c = out->pod; *c != '\0'; c++)
        if (*c == '_')
            *c = '-'; /* systemd has another meaning for '-' */
}

static void take_container(struct pod_cgroup *out, struct guard_span name)
{
    struct guard_span id;
    pod_name_clean(out->container, sizeof(out->container),
                   container_id(name, &id) ? id : without_end(name, ".scope"));
}

static bool of_kubernetes(struct pod_cgroup *out, const struct guard_span *names, size_t count)
{
    struct guard_span uid;
    for (size_t i = 0; i < count; i++) {
        if (!pod_uid(names[i], &uid))
            continue;
        take_pod(out, uid);
        take_container(out, i > 0 ? names[i - 1] : GUARD_SPAN_LITERAL(""));
        out->kubernetes = true;
        return true;
    }
    return false;
}

bool pod_cgroup_of_names(struct pod_cgroup *out, const struct guard_span *names, size_t count)
{
    struct guard_span id;
    *out = (struct pod_cgroup){0};
    pod_name_clean(out->container, sizeof(out->container), (struct guard_span){NULL, 0});
    if (of_kubernetes(out, names, count))
        return true;
    /* The outermost: below it are names that what runs inside chose. */
    for (size_t i = count; i-- > 0;) {
        bool unit = ends_with(names[i], ".service") || ends_with(names[i], ".scope");
        bool found = container_id(names[i], &id);
        if (!unit && !found)
            continue;
        pod_name_clean(out->pod, sizeof(out->pod), found ? id : names[i]);
        return true;
    }
    return false;
}

bool pod_cgroup_of_path(struct pod_cgroup *out, struct guard_span path)
{
    struct guard_span names[LEVELS_MAX];
    size_t count = 0, end = path.len;
    while (end > 0 && count < LEVELS_MAX) {
        size_t begin = end;
        while (begin > 0 && path.ptr[begin - 1] != '/')
            begin--;
        if (end > begin)
            names[count++] = (struct guard_span){path.ptr + begin, end - begin};
        end = begin > 0 ? begin - 1 : 0;
    }
    return pod_cgroup_of_names(out, names, count);
}
