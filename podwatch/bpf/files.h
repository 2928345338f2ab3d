/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are opened: for writing where programs lie, and secrets, by the path that was given.
 */
#ifndef PODWATCH_BPF_FILES_H
#define PODWATCH_BPF_FILES_H

static __always_inline u32 class_of(const struct scratch *scratch)
{
    for (u32 i = 0; i < PREFIXES; i++) {
        u64 differs = 0;
        if (i >= prefix_count)
            return PREFIX_NONE;
        for (int word = 0; word < PREFIX_CAP / 8; word++)
            differs |= (scratch->path[word] & prefixes[i].mask[word]) ^ prefixes[i].words[word];
        if (!differs)
            return prefixes[i].class;
    }
    return PREFIX_NONE;
}

static __always_inline int opens(const char *path, u64 open_flags)
{
    struct place place;
    const u32 scratch_of = EVENT_WRITE;
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    if (!of_pod(&place, task, EVENT_WRITE))
        return 0;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &scratch_of);
    if (!scratch)
        return 0;
    __builtin_memset(scratch->path, 0, sizeof(scratch->path));
    bpf_probe_read_user_str(scratch->path, sizeof(scratch->path), path);
    u32 class = class_of(scratch);
    bool writes = open_flags & OPEN_WRITES;
    if (class == PREFIX_NONE || (class == PREFIX_PROGRAM && !writes))
        return 0;
    const struct seen_key key = {.cgroup = place.cgroup,
                                 .kind = class == PREFIX_SECRET ? EVENT_SECRET : EVENT_WRITE,
                                 .hash = mix_path(hash_program(task), scratch)};
    if (!is_new(&place, &key, false))
        return 0;
    struct event_path *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
    if (!event) {
        not_sent(&place, &key);
        return 0;
    }
    fill_head(&event->head, &place, &key, 0);
    __builtin_memcpy(event->path, scratch->path, sizeof(event->path));
    read_program(event->program, task);
    event->parent[0] = '\0';
    bpf_ringbuf_submit(event, 0);
    sent(&place, &key);
    return 0;
}

SEC("tp/syscalls/sys_enter_openat")
int watch_openat(struct sys_enter *ctx)
{
    return opens((const char *)ctx->args[1], ctx->args[2]);
}

/* Its flags lie in user memory, and may be others when the kernel reads them. */
SEC("tp/syscalls/sys_enter_openat2")
int watch_openat2(struct sys_enter *ctx)
{
    return opens((const char *)ctx->args[1], OPEN_WRITES);
}

SEC("tp/syscalls/sys_enter_open")
int watch_open(struct sys_enter *ctx)
{
    return opens((const char *)ctx->args[0], ctx->args[1]);
}

SEC("tp/syscalls/sys_enter_creat")
int watch_creat(struct sys_enter *ctx)
{
    return opens((const char *)ctx->args[0], OPEN_WRITES);
}

#endif
