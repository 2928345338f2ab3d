/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs in the kernel and podwatch tell each other: events, counters, state of cgroups.
 * Both sides are built from this file and loaded together, so nothing of it is a format. */
#ifndef PODWATCH_EVENT_H
#define PODWATCH_EVENT_H

enum event_kind {
    EVENT_CGROUP = 0, /* a cgroup of a pod that wasn't known */
    EVENT_EXEC = 1,
    EVENT_CONNECT = 2,
    EVENT_LISTEN = 3,
    EVENT_WRITE = 4,
    EVENT_SECRET = 5,
    EVENT_USER = 6,
    EVENT_ANSWER = 7, /* of DNS: kept apart from the books of records, see struct cgroup_state */
    EVENT_KINDS = 8,
};

enum {
    EVENT_UNLINKED = 1, /* exec: the file has no name any more */
    EVENT_MEMFD = 2,    /* exec: it never had one */
    EVENT_DROPPED = 4,  /* exec: the file changed after the container had started */
    EVENT_SNAPSHOT = 8, /* was so when podwatch started */
    EVENT_SESSION = 16, /* exec: comes of what the runtime started in the running container */
};

enum {
    EVENT_PATH_CAP = 256,
    EVENT_NAME_CAP = 96, /* of a cgroup: 64 digits of a container's id and what is around them */
    EVENT_PROGRAM_CAP = 64,
    EVENT_LEVELS = 6,
    RING_BYTES = 1 << 20,
    SEEN_ENTRIES = 65536,
    CGROUP_ENTRIES = 8192,
    PREFIXES = 48,
    PREFIX_CAP = 32,
    ROOT_CAP = 32,
    /* New things of one cgroup in one interval: what floods doesn't take the ring from others. */
    EVENTS_PER_CGROUP = 224,
    /* Of all cgroups together, answers too. Each has some for itself; of those that are left for
     * who wants more it gets at most a part, so that many that flood share them, and who comes
     * later still finds as many. All of an interval fit into SEEN_ENTRIES. */
    EVENTS_OWN = 16,
    EVENTS_SHARED = 32768,
    EVENTS_PART = 64,
    /* How full the ring may be for what is beyond a cgroup's own, and for its own. The rest is for
     * telling whose cgroups these are, and for programs that the image didn't bring. */
    RING_FOR_MORE = RING_BYTES / 2,
    RING_FOR_OWN = RING_BYTES / 4 * 3,
    /* Besides, of programs that the image didn't bring: a flood of others doesn't hide them. */
    HARD_PER_CGROUP = 32,
    /* Answers likewise: who floods loses the names of its own destinations. */
    ANSWERS_PER_CGROUP = 128,
    ANSWER_CAP = 1232, /* bytes of one: longer ones, rare over UDP, are cut */
    ASKER_ENTRIES = 16384,
    DNS_PORT = 53,
};

#define CGROUP_OF_V1 (1ULL << 63) /* numbers of two hierarchies may be the same */

/* A thing that a cgroup does: the first time of an interval it is an event, then it is counted. */
struct seen_key {
    unsigned long long cgroup;
    unsigned long long hash;
    unsigned int kind;
    unsigned int zero;
};
struct seen_entry {
    unsigned long long count; /* of the interval */
    unsigned int epoch;
    unsigned int zero;
};

struct event {
    struct seen_key key;
    unsigned long long boot_ns;
    unsigned int kind;
    unsigned int flags;
    unsigned int pid;
    unsigned int user;
    unsigned int other_user; /* whom it was before */
};
struct event_cgroup {
    struct event head;
    unsigned long long started_boot_ns;
    char names[EVENT_LEVELS][EVENT_NAME_CAP]; /* its own first, then its parent's, ... */
};
struct event_socket {
    struct event head;
    unsigned char address[16];
    unsigned char address_len;
    unsigned char transport;
    unsigned short port;
};
struct event_path {
    struct event head;
    char path[EVENT_PATH_CAP];
    char program[EVENT_PROGRAM_CAP]; /* last part of the program's path */
    char parent[EVENT_PROGRAM_CAP];  /* of the parent's */
};

/* What came to a socket that had asked port 53, from another machine than the pod itself. */
struct event_answer {
    struct event head;
    unsigned char resolver[16]; /* who sent it */
    unsigned int resolver_len;
    unsigned int len; /* of the message as it came; bytes beyond the room are missing */
    unsigned char bytes[ANSWER_CAP];
};

/* A socket that asked, by its cookie. */
struct asker {
    unsigned long long cgroup;
};

/* counted = sent + deduplicated + dropped. */
struct event_counts {
    unsigned long long counted;
    unsigned long long sent;
    unsigned long long deduplicated;
    unsigned long long dropped;
};

/* Whether times of files can be compared with the container's start. */
enum clock_state { CLOCK_UNKNOWN = 0, CLOCK_AGREES = 1, CLOCK_DIFFERS = 2 };

struct cgroup_state {
    unsigned long long started_boot_ns; /* of its oldest task that was seen; 0: not known */
    unsigned long long bytes_out;
    unsigned long long connections;
    unsigned long long net; /* the container's network namespace; 0: not known */
    struct event_counts counts;
    unsigned int epoch;
    unsigned int events; /* sent in that epoch */
    unsigned int hard;   /* of HARD_PER_CGROUP, likewise */
    unsigned int tracked;
    unsigned int announced;
    unsigned int first_task; /* the container's own, not one that was sent in */
    unsigned int begun;      /* that one is in the container's files, not the runtime's any more */
    unsigned int alive_epoch;
    unsigned int clock;   /* enum clock_state */
    unsigned int answers; /* of ANSWERS_PER_CGROUP, in this epoch: */
    unsigned int answer_epoch;
    unsigned int zero;
};

enum prefix_class { PREFIX_NONE = 0, PREFIX_PROGRAM = 1, PREFIX_SECRET = 2 };
struct path_prefix {
    unsigned long long words[PREFIX_CAP / 8]; /* the text, zeros behind it */
    unsigned long long mask[PREFIX_CAP / 8];  /* 0xff for each byte of it */
    unsigned int class;
    unsigned int zero;
};

#endif
