/* SPDX-License-Identifier: Apache-2.0 */
/* See offer.h. */
#include "guardd/tree/offer.h"

#include "guardd/tree/pause.h"

enum {
    OLDER_TOLD = 8, /* times in a row: of two roots one isn't met so often by chance */
    PAUSES = 5,     /* then they grow no more: policies wait for them, too */
    LONGEST_MS =
        2 * 86400000 /* what ends later than that was begun before the clock was set back */
};

void offer_said(struct offer *offer, uint64_t number, uint64_t have)
{
    offer->newest = number;
    offer->wanted = number > have;
}

static bool is_early(const struct offer *offer, uint64_t now_ms)
{
    return now_ms < offer->again_ms && offer->again_ms - now_ms <= LONGEST_MS;
}

bool offer_is_due(const struct offer *offer, uint64_t now_ms)
{
    return offer->wanted && !offer->fetching && !is_early(offer, now_ms);
}

bool offer_rests(const struct offer *offer, uint64_t now_ms)
{
    return offer->fetching || is_early(offer, now_ms);
}

void offer_asked(struct offer *offer)
{
    offer->asked = offer->newest;
    offer->wanted = false;
}

void offer_came(struct offer *offer, uint64_t have, uint64_t now_ms, uint32_t retry_after_s)
{
    if (have >= offer->asked) {
        offer->short_of_it = 0;
        offer->told = false;
        offer->again_ms = 0;
        offer->wanted = offer->newest > have; /* told again while it was on its way */
        return;
    }
    offer->wanted = false; /* until it is said again */
    if (offer->short_of_it < UINT32_MAX)
        offer->short_of_it++;
    uint32_t growing = offer->short_of_it < PAUSES ? offer->short_of_it : PAUSES;
    offer->again_ms = now_ms + uplink_pause(growing, retry_after_s);
}

bool offer_is_told(struct offer *offer, bool refused)
{
    bool tells =
        offer->short_of_it > 0 && !offer->told && (refused || offer->short_of_it >= OLDER_TOLD);
    offer->told = offer->told || tells;
    return tells;
}
