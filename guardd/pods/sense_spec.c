/* SPDX-License-Identifier: Apache-2.0 */
/* "workload=cart,pod=cart-1": short enough for the arguments of a container, where the kubelet puts
 * the pod's own names in. */
#include "sense_spec.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct key {
    const char *name;
    size_t field;
    size_t max;
    bool path;
} keys[] = {
    {"service", offsetof(struct sense_spec, service), 128, false},
    {"namespace", offsetof(struct sense_spec, name_space), GUARD_POD_NAME_MAX, false},
    {"workload", offsetof(struct sense_spec, workload), GUARD_POD_NAME_MAX, false},
    {"pod", offsetof(struct sense_spec, pod), GUARD_POD_NAME_MAX, false},
    {"container", offsetof(struct sense_spec, container), GUARD_POD_NAME_MAX, false},
    {"image", offsetof(struct sense_spec, image), GUARD_POD_IMAGE_MAX, false},
    {"hash", offsetof(struct sense_spec, hash), GUARD_POD_HASH_MAX, false},
    {"uid", offsetof(struct sense_spec, uid), GUARD_POD_UID_MAX, false},
    {"node", offsetof(struct sense_spec, node), GUARD_POD_NAME_MAX, false},
    {"cgroup", offsetof(struct sense_spec, cgroup), SENSE_VALUE_CAP - 1, true},
    {"processes", offsetof(struct sense_spec, processes), 3, false},
    {"records", offsetof(struct sense_spec, records), SENSE_VALUE_CAP - 1, true},
    {"interval", offsetof(struct sense_spec, interval), 3, false},
};

static bool is_value(const char *text, size_t len, const struct key *key)
{
    if (len == 0 || len > key->max || (key->path && text[0] != '/'))
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\' ||
            (text[i] == '/' && !key->path))
            return false;
    return true;
}

static enum guard_rc take(struct sense_spec *out, const char *part, size_t len,
                          struct guard_err *err)
{
    const char *equals = memchr(part, '=', len);
    if (equals == NULL)
        return guard_fail(err, GUARD_E_SYNTAX, "\"%.*s\" is not key=value", (int)len, part);
    size_t name_len = (size_t)(equals - part), value_len = len - name_len - 1;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char *field = (char *)out + keys[i].field;
        if (strlen(keys[i].name) != name_len || memcmp(part, keys[i].name, name_len) != 0)
            continue;
        if (!is_value(equals + 1, value_len, &keys[i]))
            return guard_fail(err, GUARD_E_RANGE, "%s can't be \"%.*s\"", keys[i].name,
                              (int)(value_len < 100 ? value_len : 100), equals + 1);
        if (field[0] != '\0')
            return guard_fail(err, GUARD_E_SYNTAX, "%s is said twice", keys[i].name);
        memcpy(field, equals + 1, value_len);
        return GUARD_OK;
    }
    return guard_fail(err, GUARD_E_SYNTAX, "there is no \"%.*s\"",
                      (int)(name_len < 100 ? name_len : 100), part);
}

static void set_default(char *field, const char *value)
{
    if (field[0] == '\0')
        memcpy(field, value, strlen(value) + 1);
}

static enum guard_rc read_interval(struct sense_spec *out, struct guard_err *err)
{
    const char *text = out->interval;
    unsigned long seconds = text[0] == '\0' ? SENSE_INTERVAL_S : strtoul(text, NULL, 10);
    if (strspn(text, "0123456789") != strlen(text) || seconds < 1 || seconds > SENSE_INTERVAL_MAX_S)
        return guard_fail(err, GUARD_E_RANGE, "interval can't be \"%s\": 1 to %d seconds", text,
                          (int)SENSE_INTERVAL_MAX_S);
    out->interval_ms = (uint32_t)seconds * 1000;
    return GUARD_OK;
}

enum guard_rc sense_spec_read(struct sense_spec *out, const char *text, struct guard_err *err)
{
    memset(out, 0, sizeof(*out));
    for (const char *part = text; *part != '\0';) {
        size_t len = strcspn(part, ",");
        GUARD_TRY(take(out, part, len < 1000 ? len : 1000, err));
        part += len + (part[len] == ',');
    }
    if (out->processes[0] != '\0' && strcmp(out->processes, "yes") != 0)
        return guard_fail(err, GUARD_E_RANGE, "processes can't be \"%s\": yes, or nothing is said",
                          out->processes);
    GUARD_TRY(read_interval(out, err));
    if (out->workload[0] == '\0' || out->pod[0] == '\0')
        return guard_fail(err, GUARD_E_SYNTAX, "workload and pod must be said");
    set_default(out->name_space, "-");
    set_default(out->container, "-");
    return GUARD_OK;
}

static struct guard_span span(const char *chars)
{
    return (struct guard_span){(const uint8_t *)chars, strlen(chars)};
}

struct guard_pod_identity sense_spec_identity(const struct sense_spec *spec)
{
    return (struct guard_pod_identity){
        .service = span(spec->service),
        .name_space = span(spec->name_space),
        .workload = span(spec->workload),
        .pod = span(spec->pod),
        .container = span(spec->container),
        .image = span(spec->image),
        .template_hash = span(spec->hash),
        .uid = span(spec->uid),
        .node = span(spec->node),
    };
}
