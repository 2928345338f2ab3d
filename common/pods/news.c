/* SPDX-License-Identifier: Apache-2.0 */
/* Marks are 32 bits of a hash: two things with the same mark make one of them wait for its
 * interval, which is what an attacker who looks for such a pair would gain. */
#include "common/pods/news.h"

#include <string.h>

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t mix_text(uint64_t hash, struct guard_span text)
{
    return mix(mix(hash, text.ptr, text.len), "", 1); /* so that no end is another's beginning */
}

static uint64_t hash_of(const struct guard_pod_feature *feature)
{
    const uint8_t numbers[] = {(uint8_t)feature->kind, feature->transport,
                               (uint8_t)(feature->port >> 8), (uint8_t)feature->port};
    uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), numbers, sizeof(numbers));
    hash = mix(hash, &feature->user, sizeof(feature->user));
    if ((feature->flags & GUARD_POD_ANSWERED) == 0)
        hash = mix(hash, feature->address, feature->address_len);
    hash = mix_text(hash, feature->text);
    return mix_text(hash, feature->detail);
}

/* Whether it was there; it is afterwards. */
static bool mark(struct pod_news *news, uint64_t hash)
{
    uint32_t *set = news->marks[hash % POD_NEWS_SETS];
    uint32_t wanted = (uint32_t)(hash >> 32) | 1; /* 0: empty */
    for (uint32_t i = 0; i < POD_NEWS_WAYS; i++)
        if (set[i] == wanted)
            return true;
    memmove(set + 1, set, (POD_NEWS_WAYS - 1) * sizeof(set[0]));
    set[0] = wanted;
    return false;
}

bool pod_news_meets(struct pod_news *news, const struct guard_pod_feature *feature, uint16_t at)
{
    bool known = mark(news, hash_of(feature));
    if (known || !news->settled || (feature->flags & GUARD_POD_SNAPSHOT) != 0 ||
        news->told >= POD_NEWS_TOLD_MAX || news->waiting >= POD_NEWS_FEATURES_MAX)
        return false;
    news->at[news->waiting++] = at;
    return true;
}

uint32_t pod_news_take(struct pod_news *news, struct guard_pod_feature *gathered)
{
    uint32_t count = news->waiting;
    for (uint32_t i = 0; i < count; i++) { /* at[i] >= i: they came in the order of their numbers */
        gathered[i] = gathered[news->at[i]];
        gathered[i].count = 1;
        gathered[i].bytes_out = gathered[i].bytes_in = 0;
    }
    if (count > 0)
        news->told++;
    news->waiting = 0;
    return count;
}

void pod_news_clear(struct pod_news *news)
{
    news->waiting = 0;
}

void pod_news_interval(struct pod_news *news)
{
    news->waiting = 0;
    news->told = 0;
    news->settled = true;
}
