/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic that is neither learned nor judged by what was learned. */
#include "base/span.h"
#include "profile/profile.h"

static bool segment_is(const struct gd_profile *profile, uint32_t index, struct guard_span text)
{
    return index < profile->segment_count && gd_span_equal(profile->segments[index].text, text);
}

bool gd_profile_exempt(const struct gd_profile *profile)
{
    /* Calls come from the service's own programs. */
    if (profile->outbound)
        return false;
    return gd_span_equal(profile->method, GUARD_SPAN_LITERAL("OPTIONS")) ||
           (segment_is(profile, 0, GUARD_SPAN_LITERAL(".well-known")) &&
            segment_is(profile, 1, GUARD_SPAN_LITERAL("acme-challenge")));
}
