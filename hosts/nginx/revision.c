/* SPDX-License-Identifier: Apache-2.0 */
/* Which revision of a service stands behind a location: a text of the configuration, of a file or
 * of the environment, read when the configuration is. No variable is taken, so that nothing of a
 * request says which revision it meets. docs/adr/0011-releases.md */
#include "module.h"

#include "common/file.h"

/* What a revision may be shadowed that guardd didn't tell us of yet. With guardd, seconds pass
 * until it does; without one, this is all. */
enum { GRACE_MS = 60 * 1000, FILE_MAX = 4096 };

static char *refuse(ngx_conf_t *cf, const char *what)
{
    const ngx_str_t *args = cf->args->elts;
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V %V\": %s", &args[0], &args[1], what);
    return NGX_CONF_ERROR;
}

static bool starts_with(const ngx_str_t *text, const char *prefix)
{
    size_t len = ngx_strlen(prefix);
    return text->len > len && ngx_strncmp(text->data, prefix, len) == 0;
}

/* The first line of the file, without the blanks at its end. */
static char *read_file(ngx_conf_t *cf, ngx_str_t name, ngx_str_t *out)
{
    struct guard_err err;
    uint8_t *bytes;
    size_t len;
    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK)
        return NGX_CONF_ERROR;
    if (file_read((const char *)name.data, FILE_MAX, &bytes, &len, &err) != GUARD_OK)
        return refuse(cf, err.text);
    u_char *end = len > 0 ? memchr(bytes, '\n', len) : NULL;
    len = end != NULL ? (size_t)(end - bytes) : len;
    while (len > 0 && (bytes[len - 1] == ' ' || bytes[len - 1] == '\r' || bytes[len - 1] == '\t'))
        len--;
    out->data = ngx_pnalloc(cf->pool, len + 1);
    out->len = len;
    if (out->data != NULL && len > 0)
        ngx_memcpy(out->data, bytes, len);
    ngx_free(bytes);
    return out->data != NULL ? NGX_CONF_OK : NGX_CONF_ERROR;
}

static char *read_environment(ngx_conf_t *cf, const u_char *name, ngx_str_t *out)
{
    const char *value = getenv((const char *)name);
    if (value == NULL)
        return refuse(cf, "there is no such variable in nginx's environment");
    out->len = ngx_strlen(value);
    out->data = ngx_pnalloc(cf->pool, out->len + 1);
    if (out->data == NULL)
        return NGX_CONF_ERROR;
    ngx_memcpy(out->data, value, out->len);
    return NGX_CONF_OK;
}

char *gate_revision_set(ngx_conf_t *cf, ngx_command_t *command, void *data)
{
    gate_loc_conf_t *conf = data;
    ngx_str_t text = ((ngx_str_t *)cf->args->elts)[1];
    char *rc = NGX_CONF_OK;
    if (conf->revision.data != NULL)
        return refuse(cf, "is duplicate");
    if (ngx_strcmp(text.data, "off") == 0) {
        conf->revision = (ngx_str_t){0, text.data};
        return NGX_CONF_OK;
    }
    if (starts_with(&text, "file:")) {
        ngx_str_t name = {text.len - 5, text.data + 5};
        rc = read_file(cf, name, &text);
    } else if (starts_with(&text, "env:")) {
        rc = read_environment(cf, text.data + 4, &text);
    }
    if (rc != NGX_CONF_OK)
        return rc;
    if (!state_revision_valid((struct guard_span){text.data, text.len}))
        return refuse(cf, "a revision is 1 to 64 of letters, digits and \"._-:+/@\"; no variables");
    conf->revision = text;
    conf->revision_id = guard_revision_id((struct guard_span){text.data, text.len});
    return NGX_CONF_OK;
}

void gate_revision_merge(gate_loc_conf_t *conf, const gate_loc_conf_t *outer)
{
    if (conf->revision.data != NULL)
        return;
    conf->revision = outer->revision;
    conf->revision_id = outer->revision_id;
}

bool gate_revision_is_new(const struct gate_service *service, uint64_t revision_id)
{
    uint64_t until_ms = 0;
    if (revision_id == 0 || service->policy == NULL)
        return false;
    switch ((int)guard_policy_revision(service->policy, revision_id, &until_ms)) {
    case GUARD_REVISION_KNOWN:
        return gate_unix_ms() < until_ms;
    case GUARD_REVISION_UNKNOWN:
        return gate_unix_ms() < gate_worker.started_ms + GRACE_MS;
    default:
        return false;
    }
}
