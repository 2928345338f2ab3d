/* SPDX-License-Identifier: Apache-2.0 */
/* See check_exceptions.h. Each exception's texts and clients follow those of the one before, so
 * each is looked at once. */
#include "policy/check_exceptions.h"

static uint32_t count_of(const struct guard_policy *policy, enum gd_policy_section section)
{
    return policy->header->sections[section].count;
}

static bool text_ok(const struct guard_policy *policy, struct gd_policy_text text, uint32_t max)
{
    uint32_t strings = count_of(policy, GD_SECTION_STRINGS);
    return text.len > 0 && text.len <= max && text.offset <= strings &&
           text.len <= strings - text.offset;
}

static bool range_ok(struct gd_policy_range range, uint32_t *next, uint32_t total)
{
    if (range.first != *next || range.count > GUARD_EXCEPTION_LIST_MAX ||
        range.count > total - *next)
        return false;
    *next += range.count;
    return true;
}

static bool list_ok(const struct guard_policy *policy, struct gd_exception_sums *sums,
                    struct gd_policy_range range)
{
    return range_ok(range, &sums->texts, count_of(policy, GD_SECTION_EXCEPTION_TEXTS));
}

bool gd_exception_entry_ok(const struct guard_policy *policy, struct gd_exception_sums *sums,
                           uint32_t index, uint32_t *cost)
{
    const struct gd_exception_entry *entry = &policy->exceptions[index];
    *cost += 1;
    return index < GUARD_EXCEPTIONS_MAX && entry->expires_ms != 0 &&
           text_ok(policy, entry->id, GUARD_EXCEPTION_ID_MAX) &&
           entry->locations >> GUARD_LOCATION_COUNT == 0 && entry->reserved == 0 &&
           list_ok(policy, sums, entry->endpoints) && list_ok(policy, sums, entry->methods) &&
           list_ok(policy, sums, entry->names) && list_ok(policy, sums, entry->patches) &&
           range_ok(entry->clients, &sums->clients, count_of(policy, GD_SECTION_EXCEPTION_CLIENTS));
}

bool gd_exception_text_ok(const struct guard_policy *policy, uint32_t index)
{
    return text_ok(policy, policy->exception_texts[index], GUARD_EXCEPTION_NAME_MAX);
}

bool gd_exception_client_ok(const struct guard_policy *policy, uint32_t index)
{
    const struct gd_exception_client *client = &policy->exception_clients[index];
    return (client->address_len == 4 || client->address_len == 16) && client->bits > 0 &&
           client->bits <= 8 * client->address_len;
}

bool gd_exception_sums_ok(const struct guard_policy *policy, const struct gd_exception_sums *sums)
{
    return sums->texts == count_of(policy, GD_SECTION_EXCEPTION_TEXTS) &&
           sums->clients == count_of(policy, GD_SECTION_EXCEPTION_CLIENTS);
}
