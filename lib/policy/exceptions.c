/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions of the Guardian into their sections. */
#include "policy/plan.h"

static struct gd_policy_range keep_list(struct gd_plan *plan, const struct guard_span *list,
                                        uint32_t count)
{
    struct gd_vector *section = &plan->sections[GD_SECTION_EXCEPTION_TEXTS];
    struct gd_policy_range range = {section->count, count};
    struct gd_policy_text *to = gd_vector_add(section, count);
    for (uint32_t i = 0; to != NULL && i < count; i++)
        to[i] = gd_plan_text(plan, list[i]);
    return range;
}

static struct gd_policy_range keep_clients(struct gd_plan *plan,
                                           const struct guard_exception *exception)
{
    struct gd_vector *section = &plan->sections[GD_SECTION_EXCEPTION_CLIENTS];
    struct gd_policy_range range = {section->count, exception->client_count};
    struct gd_exception_client *to = gd_vector_add(section, exception->client_count);
    for (uint32_t i = 0; to != NULL && i < exception->client_count; i++) {
        const struct guard_address_prefix *from = &exception->clients[i];
        to[i] = (struct gd_exception_client){.address_len = from->address_len, .bits = from->bits};
        memcpy(to[i].address, from->address, sizeof(to[i].address));
    }
    return range;
}

static void add(struct gd_plan *plan, const struct guard_exception *exception)
{
    struct gd_exception_entry *to = gd_vector_add(&plan->sections[GD_SECTION_EXCEPTIONS], 1);
    if (to == NULL)
        return;
    *to = (struct gd_exception_entry){.expires_ms = exception->expires_ms,
                                      .rules = {exception->rules[0], exception->rules[1]},
                                      .locations = exception->locations};
    to->id = gd_plan_text(plan, exception->id);
    to->endpoints = keep_list(plan, exception->endpoints, exception->endpoint_count);
    to->methods = keep_list(plan, exception->methods, exception->method_count);
    to->names = keep_list(plan, exception->names, exception->name_count);
    to->patches = keep_list(plan, exception->patches, exception->patch_count);
    to->clients = keep_clients(plan, exception);
}

enum guard_rc gd_plan_exceptions(struct gd_plan *plan)
{
    const struct guard_guardian *guardian = plan->guardian;
    if (guardian->exception_count > GUARD_EXCEPTIONS_MAX)
        return guard_fail(plan->err, GUARD_E_LIMIT, "a Guardian has at most %d exceptions",
                          (int)GUARD_EXCEPTIONS_MAX);
    for (uint32_t i = 0; i < guardian->exception_count; i++) {
        const struct guard_exception *exception = &guardian->exceptions[i];
        struct guard_err wrong = {""};
        enum guard_rc rc = guard_exception_check(exception, &wrong);
        if (rc != GUARD_OK)
            return guard_fail(plan->err, rc, "exception \"%.*s\": %s",
                              (int)gd_span_head(exception->id, GUARD_EXCEPTION_ID_MAX).len,
                              (const char *)exception->id.ptr, wrong.text);
        add(plan, exception);
    }
    for (int i = GD_SECTION_EXCEPTIONS; i <= GD_SECTION_EXCEPTION_CLIENTS; i++)
        GUARD_TRY(plan->sections[i].rc);
    return plan->sections[GD_SECTION_STRINGS].rc;
}
