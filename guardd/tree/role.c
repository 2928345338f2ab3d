/* SPDX-License-Identifier: Apache-2.0 */
/* Which options a role needs and which it can't have: what would be ignored is refused, since who
 * wrote it expects something of it. */
#include "guardd/tree/role.h"

#include "common/http_client.h"
#include "common/state.h"

#include <string.h>

static const char *const names[] = {
    [TREE_STANDALONE] = "standalone", [TREE_AGENT] = "agent",
    [TREE_AGGREGATOR] = "aggregator", [TREE_NODE] = "node",
    [TREE_SERVICE] = "service",
};

const char *tree_role_name(enum tree_role role)
{
    return names[role];
}

bool tree_role_read(const char *name, enum tree_role *out)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum tree_role)i;
            return true;
        }
    }
    return false;
}

static enum guard_rc check_parent(const struct tree_cfg *cfg, struct guard_err *err)
{
    const char *const needing[][2] = {
        {"parent-token", cfg->parent_token},
        {"parent-ca", cfg->parent_ca},
    };
    if (tree_has_parent(cfg->role) && cfg->parent == NULL)
        return guard_fail(err, GUARD_E_RANGE, "--role %s needs --parent", names[cfg->role]);
    if (!tree_has_parent(cfg->role) && cfg->parent != NULL)
        return guard_fail(err, GUARD_E_RANGE, "--parent: --role %s has none", names[cfg->role]);
    for (size_t i = 0; i < sizeof(needing) / sizeof(needing[0]); i++) {
        if (needing[i][1] != NULL && cfg->parent == NULL)
            return guard_fail(err, GUARD_E_RANGE, "--%s needs --parent", needing[i][0]);
    }
    if (cfg->parent == NULL)
        return GUARD_OK;
    if (http_server_check(cfg->parent, err) != GUARD_OK)
        return guard_fail(err, GUARD_E_RANGE,
                          "--parent: must be unix:PATH, http://HOST[:PORT] or https://HOST[:PORT]");
    if (cfg->parent_ca != NULL && strncmp(cfg->parent, "https://", 8) != 0)
        return guard_fail(err, GUARD_E_RANGE, "--parent-ca needs --parent https://HOST[:PORT]");
    if (cfg->parent_token != NULL && strncmp(cfg->parent, "http://", 7) == 0)
        return guard_fail(err, GUARD_E_RANGE,
                          "--parent-token: anybody could read it on the way; needs --parent "
                          "https://HOST[:PORT] or unix:PATH");
    return GUARD_OK;
}

static enum guard_rc check_followed(const struct tree_cfg *cfg, struct guard_err *err)
{
    struct guard_span name;
    uint32_t count = 0;
    if (cfg->follow != NULL && !tree_has_parent(cfg->role))
        return guard_fail(err, GUARD_E_RANGE, "--follow: --role %s has no parent to ask",
                          names[cfg->role]);
    if (cfg->follow != NULL && !tree_has_services(cfg->role))
        return guard_fail(err, GUARD_E_RANGE, "--follow: --role %s takes no policies",
                          names[cfg->role]);
    for (const char *at = cfg->follow; tree_next_listed(&at, &name);) {
        if (!state_service_valid(name))
            return guard_fail(err, GUARD_E_RANGE,
                              "--follow: \"%.*s\" is no service's name: 1 to 64 letters, digits, "
                              "'.', '_' or '-'",
                              (int)(name.len < 80 ? name.len : 80), (const char *)name.ptr);
        if (++count > TREE_FOLLOW_MAX)
            return guard_fail(err, GUARD_E_LIMIT, "--follow: at most %d services", TREE_FOLLOW_MAX);
    }
    return GUARD_OK;
}

/* What only those have that send what gates tell, and take policies for them. */
static enum guard_rc check_reporting(const struct tree_cfg *cfg, struct guard_err *err)
{
    const char *role = names[cfg->role];
    const bool parent = tree_has_parent(cfg->role);
    if (parent && tree_has_services(cfg->role))
        return GUARD_OK;
    if (cfg->policy_key != NULL)
        return guard_fail(err, GUARD_E_RANGE, "--policy-key: --role %s %s", role,
                          parent ? "takes no policies" : "signs by a key of its own");
    if (cfg->report_ms != 0)
        return guard_fail(err, GUARD_E_RANGE, "--report-every: --role %s %s", role,
                          parent ? "has no piles to report" : "reports to nobody");
    if (cfg->spool_bytes != 0)
        return guard_fail(err, GUARD_E_RANGE, "--spool: --role %s %s", role,
                          parent ? "has no piles to report" : "reports to nobody");
    return GUARD_OK;
}

enum guard_rc tree_check(struct tree_cfg *cfg, bool api_off, struct guard_err *err)
{
    const char *role = names[cfg->role];
    GUARD_TRY(check_parent(cfg, err));
    GUARD_TRY(check_followed(cfg, err));
    GUARD_TRY(check_reporting(cfg, err));
    if (!tree_has_children(cfg->role) && cfg->whole_piles != NULL)
        return guard_fail(err, GUARD_E_RANGE, "--whole-piles: nobody reports to --role %s", role);
    if (tree_has_children(cfg->role) && api_off)
        return guard_fail(err, GUARD_E_RANGE, "--api off: nobody could report to --role %s", role);
    if (cfg->report_ms == 0)
        cfg->report_ms = TREE_REPORT_MS;
    if (cfg->report_ms < TREE_REPORT_MIN_MS)
        return guard_fail(err, GUARD_E_RANGE, "--report-every: must be at least 1s");
    if (cfg->spool_bytes == 0)
        cfg->spool_bytes = TREE_SPOOL_BYTES;
    if (cfg->spool_bytes < TREE_SPOOL_MIN)
        return guard_fail(err, GUARD_E_RANGE, "--spool: must be at least 1M");
    return GUARD_OK;
}

bool tree_next_listed(const char **at, struct guard_span *out)
{
    if (*at == NULL || **at == '\0')
        return false;
    *out = (struct guard_span){(const uint8_t *)*at, strcspn(*at, ",")};
    *at += out->len + ((*at)[out->len] == ',');
    return true;
}

bool tree_listed(const char *list, const char *name)
{
    size_t len = strlen(name);
    struct guard_span item;
    for (const char *at = list; tree_next_listed(&at, &item);) {
        if ((item.len == 1 && item.ptr[0] == '*') ||
            (item.len == len && memcmp(item.ptr, name, len) == 0))
            return true;
    }
    return false;
}
