/* SPDX-License-Identifier: Apache-2.0 */
/* What a container never did before, as far as its sensor remembers: told within a second and not
 * with the record of its interval. Bounded: who does new things without end is told of with the
 * interval, as ever, and costs others nothing. */
#ifndef GUARD_COMMON_PODS_NEWS_H
#define GUARD_COMMON_PODS_NEWS_H

#include <guard/pod.h>

enum {
    POD_NEWS_SETS = 64,
    POD_NEWS_WAYS = 4,          /* of each set; the one that was met first makes room */
    POD_NEWS_TOLD_MAX = 2,      /* how often in an interval */
    POD_NEWS_FEATURES_MAX = 16, /* at once */
};

/* Zeros: of a container that is met. */
struct pod_news {
    uint32_t marks[POD_NEWS_SETS][POD_NEWS_WAYS];
    uint16_t at[POD_NEWS_FEATURES_MAX]; /* which of what is gathered is to be told */
    uint8_t waiting;                    /* of these */
    uint8_t told;                       /* in this interval */
    bool settled; /* an interval is over: what all containers do as they start is no news */
};

/* Whether the feature, gathered as number `at`, is to be told before its time; marks it as met in
 * any case. Never what was there already when the sensor started. Addresses that a resolver named
 * are known by the name. */
bool pod_news_meets(struct pod_news *news, const struct guard_pod_feature *feature, uint16_t at);
/* Of what is gathered those that wait, in its place: what else they did is told with the interval,
 * so that each is told with count 1 and without bytes. Returns how many; they wait no more. */
uint32_t pod_news_take(struct pod_news *news, struct guard_pod_feature *gathered);
/* What is gathered was told, all of it. */
void pod_news_clear(struct pod_news *news);
void pod_news_interval(struct pod_news *news);

#endif
