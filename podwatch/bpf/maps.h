/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs keep: the ring, what was seen, the state of cgroups, counts, and room to work.
 * Who includes it includes libbpf's helpers before. */
#ifndef PODWATCH_BPF_MAPS_H
#define PODWATCH_BPF_MAPS_H

#include "kernel.h"

#include "podwatch/event.h"

enum { WORDS = EVENT_PATH_CAP / 8, ANSWER_ROOM = 4096 };

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, RING_BYTES);
} ring SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, SEEN_ENTRIES);
    __type(key, struct seen_key);
    __type(value, struct seen_entry);
} seen SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, CGROUP_ENTRIES);
    __type(key, u64);
    __type(value, struct cgroup_state);
} cgroups SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, EVENT_KINDS);
    __type(key, u32);
    __type(value, struct event_counts);
} counts SEC(".maps");

struct scratch {
    u64 path[WORDS];
    char level[ROOT_CAP];
    struct cgroup_state state;
};
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, EVENT_KINDS);
    __type(key, u32);
    __type(value, struct scratch);
} scratches SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, ASKER_ENTRIES);
    __type(key, u64);
    __type(value, struct asker);
} askers SEC(".maps");

/* Half of it is for the message: what is read a word at a time may end behind that. */
struct message {
    volatile u32 cursor;
    u8 bytes[ANSWER_ROOM];
};
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct message);
} messages SEC(".maps");

struct task_owner {
    u32 user;
    bool known;
    bool session;
};
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct task_owner);
} owners SEC(".maps");

#endif
