/* SPDX-License-Identifier: Apache-2.0 */
/* Who may say of which pod what it does: at a node with children, of records that come over the
 * tree. A token that a cluster bound to a pod speaks for that pod only. Other reporters speak for
 * pods that nobody else speaks for, and keep them while they do. Whatever one of them sends, it
 * fills no table. docs/THREAT-MODEL.md */
#ifndef GUARDD_PODS_SPEAKERS_H
#define GUARDD_PODS_SPEAKERS_H

#include "common/pods/record_batch.h"

enum {
    POD_SPEAKERS_MAX = 8192,   /* pods that are spoken for */
    POD_SPEAKER_PODS_MAX = 64, /* by one that isn't believed, at once */
    POD_SPEAKER_CONTAINERS = 4,
    POD_SPEAKER_SENSORS = 16,     /* of a pod that begin within a day */
    POD_SPEAKER_RECORDS = 4096,   /* of a pod at once, */
    POD_SPEAKER_PER_S = 2,        /* and so many more each second */
    POD_SPEAKER_MS = 3600 * 1000, /* who is silent for so long has no pod any more */
    POD_SPEAKER_NAME_CAP = 96,
};

/* Where a record's pod is, for who speaks for a node. */
enum pod_place {
    POD_PLACE_OTHER,   /* not there, or not what it is said to be */
    POD_PLACE_UNKNOWN, /* the cluster is asked */
    POD_PLACE_HERE,
};

/* Who reports. */
struct pod_reporter {
    const char *name;
    /* A cluster said that the token is this pod's; NULL, NULL, NULL: none did. */
    const char *cluster_pod; /* "NAMESPACE/POD" */
    const char *cluster_uid;
    /* It runs on that node of the cluster and speaks for the pods there, of any service, beside
     * what they say of themselves; NULL: it doesn't. */
    const char *node;
    enum pod_place (*look)(const void *ctx, const struct guard_pod_identity *id);
    const void *look_ctx;
    bool believed; /* --whole-piles names it: it passes on what others say */
    bool vouched;  /* another root held it to what its name may speak for */
    /* Whether it may report for a service. */
    bool (*covers)(const void *ctx, struct guard_span service);
    const void *ctx;
};

struct pod_speaker {
    uint64_t who;      /* reporter, and secret of its state directory */
    uint64_t reporter; /* alone */
    uint64_t workload;
    uint64_t containers[POD_SPEAKER_CONTAINERS];
    uint64_t sensors[POD_SPEAKER_SENSORS]; /* a ring */
    uint64_t seen_ms, filled_ms, day;
    uint32_t room;          /* for records, in thousandths */
    uint32_t sensors_begun; /* on that day */
    bool of_cluster;
    char name[POD_SPEAKER_NAME_CAP]; /* of the reporter */
};

struct pod_speakers {
    uint64_t seed;
    uint64_t *pods; /* by service, namespace and name; as many as in list */
    struct pod_speaker *list;
    uint32_t count, room;
    bool apart;   /* whose a pod is is decided elsewhere: each reporter of it has an entry here */
    bool changed; /* since it was saved: who speaks for which pod */
};

enum pod_speech {
    POD_SPEECH_GOOD,
    POD_SPEECH_FOREIGN, /* the pod is another's to speak for */
    POD_SPEECH_FLOOD,   /* more records, sensors, workloads, containers or pods than may be */
};

/* GUARD_E_IO: no randomness. */
GUARD_MUST_USE enum guard_rc pod_speakers_open(struct pod_speakers *speakers,
                                               struct guard_err *err);
void pod_speakers_close(struct pod_speakers *speakers);
/* Whether the record may be taken, and counts it; why: what is wrong. */
enum pod_speech pod_speakers_hear(struct pod_speakers *speakers, const struct pod_reporter *who,
                                  const uint8_t secret[POD_BATCH_SECRET],
                                  const struct guard_pod_record *record, uint64_t now_ms,
                                  const char **why);
/* What was taken can't be kept, and comes again: that is no flood. */
void pod_speakers_refill(struct pod_speakers *speakers);
/* The reporter that speaks for the pod; NULL: none does. */
const struct pod_speaker *pod_speakers_of(const struct pod_speakers *speakers,
                                          struct guard_span service, struct guard_span name_space,
                                          struct guard_span pod);
/* What must survive a restart; *out is malloc'd. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc pod_speakers_write(const struct pod_speakers *speakers, uint8_t **out,
                                                size_t *len, struct guard_err *err);
/* GUARD_E_SYNTAX, GUARD_E_NOMEM; nothing is known then. */
GUARD_MUST_USE enum guard_rc pod_speakers_read(struct pod_speakers *speakers,
                                               struct guard_span note, struct guard_err *err);

#endif
