/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic that is neither learned nor judged by what was learned. */
#include "base/span.h"
#include "profile/profile.h"

static bool segment_is(const struct gd_profile *profile, uint32_t index, struct guard_span text)
{
    return index < profile->segment_count && gd_span_equal(profile->segments[index].text, text);
}

static bool is_options(const struct gd_profile *profile)
{
    return gd_span_equal(profile->method, GUARD_SPAN_LITERAL("OPTIONS"));
}

static bool is_acme(const struct gd_profile *profile)
{
    return segment_is(profile, 0, GUARD_SPAN_LITERAL(".well-known")) &&
           segment_is(profile, 1, GUARD_SPAN_LITERAL("acme-challenge"));
}

bool gd_profile_exempt(const struct gd_profile *profile)
{
    /* Calls come from the service's own programs. */
    return !profile->outbound && (is_options(profile) || is_acme(profile));
}

bool gd_profile_values_only(const struct gd_profile *profile)
{
    return !profile->outbound && is_options(profile) && !is_acme(profile);
}
