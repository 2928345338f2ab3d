/* SPDX-License-Identifier: Apache-2.0 */
/* Pod records: what a sensor saw one container of one pod do in one interval, and what it could not
 * have seen. The sidecar sensor, guard-podwatch, Falco's events and gates all say it in this form.
 * docs/internals/pod-records.md */
#ifndef GUARD_POD_H
#define GUARD_POD_H

#include <guard/pile.h>
#include <guard/types.h>

enum {
    GUARD_POD_NAME_MAX = 253,  /* bytes of a name of Kubernetes' kind */
    GUARD_POD_IMAGE_MAX = 160, /* of an image digest, "sha256:..." */
    GUARD_POD_HASH_MAX = 64,   /* of a template hash */
    GUARD_POD_UID_MAX = 64,
    GUARD_POD_TEXT_MAX = 256, /* of a path, a name, a finding's sentence */
    GUARD_POD_REQUEST_MAX = 64,
    GUARD_POD_FEATURES_MAX = 256,      /* of one record; more go into the next */
    GUARD_POD_RECORD_MAX = 192 * 1024, /* bytes of an encoded record */
    GUARD_POD_HEAD_BYTES = 16,         /* what tells the length of a record */
    GUARD_POD_INTERVAL_MAX_MS = 3600 * 1000
};

enum guard_pod_source {
    GUARD_POD_SIDECAR = 1,  /* without privilege, in the pod's network namespace */
    GUARD_POD_PODWATCH = 2, /* on the node, eBPF */
    GUARD_POD_FALCO = 3,
    GUARD_POD_GATE = 4, /* findings of the gate in front of the pod, and on its outbound calls */
    GUARD_POD_SOURCES = 5
};

/* What a pod does. The numbers are part of the format. In brackets which members of a feature say
 * it; the others are empty or 0. A hard kind is evidence that may act alone. */
enum guard_pod_kind {
    GUARD_POD_DESTINATION = 0, /* [address, port, transport; text: the name it was asked for by, if
                                  known; detail: see GUARD_POD_ANSWERED] clients that connect to
                                  the pod are none */
    GUARD_POD_LISTEN = 1,      /* [port, transport; address may be missing] */
    GUARD_POD_EXEC = 2,        /* [text: path of the program; detail: path of the parent's program;
                                  user] */
    GUARD_POD_USER = 3,        /* [user: it runs as that; text: path of the program] */
    GUARD_POD_WRITE = 4,       /* [text: path opened for writing where programs lie] */
    GUARD_POD_SECRET = 5,      /* [text: path of a secret that was read] */
    GUARD_POD_DNS = 6,         /* [text: name that was asked for, lower case, no dot at its end] */
    GUARD_POD_DROPPED = 7, /* hard: a program written at run time was run [as EXEC] or one unlinked
                            */
    GUARD_POD_MEMFD = 8,   /* hard: a program without a file was run [as EXEC] */
    GUARD_POD_ROOT = 9,    /* hard: became user 0 [text: program; user: who it was] */
    GUARD_POD_OUTBOUND = 10, /* a call of the pod deviates [text: method, host and template; detail:
                                the finding in a line] */
    GUARD_POD_RESPONSE = 11, /* a response of the pod deviates [text: method and template; detail:
                                the finding in a line] */
    GUARD_POD_REQUEST = 12,  /* a request that the gate found to deviate reached the pod [likewise]
                              */
    GUARD_POD_KINDS = 13
};

enum {
    GUARD_POD_BY_SHELL = 1,   /* the parent is a shell */
    GUARD_POD_SNAPSHOT = 2,   /* was there when the sensor started: when it began isn't known */
    GUARD_POD_NO_PORT = 4,    /* the kernel had forgotten the port (a reset connection) */
    GUARD_POD_EXEC_PROBE = 8, /* declared by the pod's specification: normal by itself */
    GUARD_POD_SESSION = 16,   /* descends from a process that the runtime started inside the running
                                 container: somebody's debugging, no misuse through the service */
    GUARD_POD_ANSWERED = 32,  /* a destination's name is what an answer of DNS said; detail: the
                                 address of who said it, 4 or 16 bytes. A pod can answer itself: it
                                 counts as far as that one is trusted */
    GUARD_POD_FLAGS_ALL = 63
};

/* Of one container; spans are borrowed. */
struct guard_pod_feature {
    enum guard_pod_kind kind;
    uint32_t flags;
    struct guard_span text;    /* any bytes: hostile until shown by guard_pod_feature_text */
    struct guard_span detail;  /* likewise */
    struct guard_span request; /* printable id of the exchange that it followed, or empty */
    uint8_t address_len;       /* 0, 4, 16 */
    uint8_t address[16];
    uint16_t port;
    uint8_t transport; /* IP protocol number: 6, 17; 0: none */
    uint32_t user;
    uint64_t count; /* times in the interval, at least 1 */
    /* Of a destination: sent to it and received of it in the interval, over connections that the
     * pod opened; 0: none, or not known. */
    uint64_t bytes_out, bytes_in;
    uint64_t first_ms; /* Unix time of the first of them */
};

/* Amounts of the interval. The numbers are part of the format. */
enum guard_pod_rate {
    GUARD_POD_BYTES_OUT = 0,
    GUARD_POD_BYTES_IN = 1,
    GUARD_POD_CONNECTIONS = 2, /* that the pod opened */
    GUARD_POD_CPU_US = 3,
    GUARD_POD_MEMORY_BYTES = 4, /* at its end */
    GUARD_POD_PRESSURE_US = 5,  /* stalled for processor or memory */
    GUARD_POD_REQUESTS = 6,     /* that it answered */
    GUARD_POD_CALLS_OUT = 7,    /* bytes: of BYTES_OUT what went over connections that it opened */
    GUARD_POD_CALLS_IN = 8,     /* likewise */
    GUARD_POD_RATES = 9
};

/* Names: printable ASCII without space, '/', '"' and '\'. */
struct guard_pod_identity {
    struct guard_span service;       /* of Guard: who is told; empty: named as the workload */
    struct guard_span name_space;    /* "-" outside Kubernetes */
    struct guard_span workload;      /* Deployment, StatefulSet, unit of systemd... */
    struct guard_span pod;           /* the replica; unique in its namespace */
    struct guard_span container;     /* "-" when there is one only */
    struct guard_span image;         /* digest, or empty: not known */
    struct guard_span template_hash; /* pod-template-hash or controller revision, or empty */
    struct guard_span node;          /* or empty */
    struct guard_span uid;           /* that Kubernetes gave the pod, or empty */
};

struct guard_pod_record {
    struct guard_pod_identity id;
    enum guard_pod_source source;
    /* Of the sensor and container: sequences start at 1 and grow; a record with a sequence that was
     * learned is not learned again. */
    struct guard_source origin;
    uint32_t blind;      /* bit per kind that this sensor can't see here: not seen isn't not done */
    uint64_t started_ms; /* of the container; 0: not known */
    uint64_t from_ms;
    uint64_t until_ms; /* from_ms <= until_ms */
    /* Events of the interval: counted = received + deduplicated + dropped, always. dropped > 0
     * makes the record incomplete: nothing becomes normal by it. */
    uint64_t counted;
    uint64_t received;
    uint64_t deduplicated;
    uint64_t dropped;
    uint32_t rates_known; /* bit per rate */
    uint64_t rates[GUARD_POD_RATES];
    const struct guard_pod_feature *features; /* borrowed */
    uint32_t feature_count;
};

/* "destination", "listen", "exec", ...; never NULL. */
GUARD_API const char *guard_pod_kind_name(enum guard_pod_kind kind);
GUARD_API const char *guard_pod_source_name(enum guard_pod_source source);
GUARD_API const char *guard_pod_rate_name(enum guard_pod_rate rate);
/* Kinds that may act alone unless the configuration says otherwise: a bit each. */
GUARD_API uint32_t guard_pod_hard_kinds(void);

/* What is said of the feature in a line for people: "connects to tcp 10.0.0.5:5432 (db.example,
 * says 10.96.0.10)".
 * Bytes that aren't printable ASCII, '"' and '\' become \xNN. Cut to fit; returns the length
 * without the NUL. */
GUARD_API size_t guard_pod_feature_text(const struct guard_pod_feature *feature, char *out,
                                        size_t size);

/* GUARD_E_RANGE: a member is out of its bounds, err names it; GUARD_E_LIMIT: more than size bytes.
 * GUARD_POD_RECORD_MAX always suffices. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_pod_record_encode(const struct guard_pod_record *record, uint8_t *out, size_t size,
                        size_t *len, struct guard_err *err);
/* Bytes of the record that begins with these, of which there are GUARD_POD_HEAD_BYTES at least: for
 * readers of streams. GUARD_E_SYNTAX, GUARD_E_VERSION, GUARD_E_LIMIT. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pod_record_size(struct guard_span bytes, size_t *len,
                                                             struct guard_err *err);
/* Hostile input, exactly one record. features: room for GUARD_POD_FEATURES_MAX; out points into it
 * and into bytes. GUARD_E_SYNTAX, GUARD_E_VERSION, GUARD_E_CHECKSUM, GUARD_E_RANGE; err names the
 * member. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_pod_record_decode(struct guard_pod_record *out,
                                                               struct guard_pod_feature *features,
                                                               struct guard_span bytes,
                                                               struct guard_err *err);

#endif
