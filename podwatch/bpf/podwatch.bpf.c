/* SPDX-License-Identifier: Apache-2.0 */
/* What pods do, as the kernel sees it: programs they run, where they connect to, what they listen
 * on, open for writing where programs lie, read of secrets, and become. Other tasks pay for one
 * look-up. Nothing is denied or changed. */
#include "kernel.h"

#include "podwatch/event.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "maps.h"

/* Most helpers that read the kernel's memory are for programs under its licence. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
    LEVELS_UP = 12, /* of cgroups above a task's that may be a pod's */
    FAMILY_INET = 2,
    FAMILY_INET6 = 10,
    PROTOCOL_UDP = 17,
    LOOPBACK = 1, /* its number in every network namespace */
    STATE_SYN_SENT = 2,
    STATE_LISTEN = 10,
    NOT_OF_IMAGE = EVENT_MEMFD | EVENT_UNLINKED | EVENT_DROPPED,
    OPEN_WRITES = 01 | 02 | 0100 | 01000, /* O_WRONLY, O_RDWR, O_CREAT, O_TRUNC */
};

/* "/dev/fd/" as a word: how a program is named that is run by a descriptor. */
#define DEV_FD 0x2f64662f7665642fULL

const volatile char root_name[ROOT_CAP] = "kubepods"; /* how the cgroup above all pods begins */
const volatile u32 root_len = 8;
const volatile bool look_at_v1 = false;
const volatile u64 seed = 0;
const volatile struct path_prefix prefixes[PREFIXES] = {};
const volatile u32 prefix_count = 0;

u32 epoch = 1;                 /* of the interval */
u32 shared_taken = 0;          /* of EVENTS_SHARED, in it */
u64 real_offset_ns = 0;        /* from the clock since boot to Unix time */
bool connect_by_state = false; /* the hooks of cgroups are refused */

/* A task of a pod. */
struct place {
    struct task_struct *task;
    struct cgroup_state *state;
    struct kernfs_node *node;
    u64 cgroup;
};

enum outcome { COUNTED, SENT, DEDUPLICATED, DROPPED };

static __always_inline void add(u64 *number, u64 more)
{
    __sync_fetch_and_add(number, more);
}

static __always_inline u64 *of_outcome(struct event_counts *of, enum outcome outcome)
{
    switch (outcome) {
    case COUNTED:
        return &of->counted;
    case SENT:
        return &of->sent;
    case DEDUPLICATED:
        return &of->deduplicated;
    default:
        return &of->dropped;
    }
}

/* A name that is lost makes its destination look newer, not known, so that answers leave the books
 * of the record alone. */
static __always_inline void count(struct cgroup_state *state, u32 kind, enum outcome outcome)
{
    struct event_counts *of = bpf_map_lookup_elem(&counts, &kind);
    if (kind != EVENT_ANSWER)
        add(of_outcome(&state->counts, outcome), 1);
    if (of)
        add(of_outcome(of, outcome), 1);
}

static __always_inline struct kernfs_node *above(struct kernfs_node *node)
{
    if (bpf_core_field_exists(node->__parent))
        return BPF_CORE_READ(node, __parent);
    return BPF_CORE_READ((struct kernfs_node___before_6_15 *)node, parent);
}

/* NULL for tasks in the root of the hierarchy, and where there is none. */
static __always_inline struct kernfs_node *node_of(struct task_struct *task, bool v1)
{
    struct css_set *set = BPF_CORE_READ(task, cgroups);
    struct cgroup *cgroup = NULL;
    if (v1) {
        struct cgroup_subsys_state *css = NULL;
        u64 at = bpf_core_field_offset(set->subsys) +
                 sizeof(void *) * bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
        bpf_probe_read_kernel(&css, sizeof(css), (char *)set + at);
        cgroup = BPF_CORE_READ(css, cgroup);
    } else {
        cgroup = BPF_CORE_READ(set, dfl_cgrp);
    }
    return BPF_CORE_READ(cgroup, level) > 0 ? BPF_CORE_READ(cgroup, kn) : NULL;
}

static __always_inline bool is_root_name(const char *name)
{
    for (u32 i = 0; i < ROOT_CAP; i++) {
        if (i >= root_len)
            return true;
        if (name[i] != root_name[i])
            return false;
    }
    return true;
}

static __always_inline bool in_pod(struct kernfs_node *node, struct scratch *scratch)
{
    for (int i = 0; i < LEVELS_UP && node; i++) {
        const char *name = BPF_CORE_READ(node, name);
        scratch->level[0] = '\0';
        bpf_probe_read_kernel_str(scratch->level, sizeof(scratch->level), name);
        if (is_root_name(scratch->level))
            return true;
        node = above(node);
    }
    return false;
}

/* What a cgroup is called is decided once: it can't be renamed where pods are. */
static __noinline struct cgroup_state *meet(struct kernfs_node *node, u64 id, u32 kind)
{
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &kind);
    if (!scratch)
        return NULL;
    __builtin_memset(&scratch->state, 0, sizeof(scratch->state));
    scratch->state.tracked = in_pod(node, scratch);
    bpf_map_update_elem(&cgroups, &id, &scratch->state, BPF_NOEXIST);
    return bpf_map_lookup_elem(&cgroups, &id);
}

static __always_inline bool find(struct place *place, struct task_struct *task, bool v1, u32 kind)
{
    struct kernfs_node *node = node_of(task, v1);
    if (!node)
        return false;
    place->task = task;
    place->node = node;
    place->cgroup = BPF_CORE_READ(node, id) | (v1 ? CGROUP_OF_V1 : 0);
    place->state = bpf_map_lookup_elem(&cgroups, &place->cgroup);
    if (!place->state)
        place->state = meet(node, place->cgroup, kind);
    return place->state && place->state->tracked;
}

static __always_inline bool of_pod(struct place *place, struct task_struct *task, u32 kind)
{
    return find(place, task, false, kind) || (look_at_v1 && find(place, task, true, kind));
}

static __always_inline void fill_head(struct event *event, const struct place *place,
                                      const struct seen_key *key, u32 flags)
{
    struct task_struct *task = place->task;
    event->key = *key;
    event->boot_ns = bpf_ktime_get_boot_ns();
    event->kind = key->kind;
    event->flags = flags;
    event->pid = BPF_CORE_READ(task, tgid);
    event->user = BPF_CORE_READ(task, cred, euid.val);
    event->other_user = event->user;
}

static __always_inline void is_oldest(struct place *place, u64 started)
{
    struct task_struct *task = place->task;
    if (place->state->started_boot_ns && started >= place->state->started_boot_ns)
        return;
    place->state->started_boot_ns = started;
    place->state->first_task = BPF_CORE_READ(task, tgid);
}

/* Whose cgroup this is, before the first that is told of it; again when there was no room. */
static __noinline void announce(struct place *place)
{
    const struct seen_key key = {.cgroup = place->cgroup, .kind = EVENT_CGROUP};
    struct task_struct *task = place->task;
    u64 started = BPF_CORE_READ(task, group_leader, start_boottime);
    struct kernfs_node *node = place->node;
    is_oldest(place, started);
    count(place->state, EVENT_CGROUP, COUNTED);
    struct event_cgroup *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
    if (!event) {
        count(place->state, EVENT_CGROUP, DROPPED);
        return;
    }
    fill_head(&event->head, place, &key, 0);
    event->started_boot_ns = place->state->started_boot_ns;
    for (int i = 0; i < EVENT_LEVELS; i++) {
        event->names[i][0] = '\0';
        if (!node)
            continue;
        bpf_probe_read_kernel_str(event->names[i], EVENT_NAME_CAP, BPF_CORE_READ(node, name));
        node = above(node);
    }
    bpf_ringbuf_submit(event, 0);
    place->state->announced = 1;
    count(place->state, EVENT_CGROUP, SENT);
}

/* Whether one who has had so many in this interval may have another. Nothing that is refused here
 * is forgotten: the next of its kind asks again. */
static __always_inline bool may_have(u32 had)
{
    u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
    if (had < EVENTS_OWN)
        return waiting < RING_FOR_OWN;
    u32 taken = shared_taken;
    return waiting < RING_FOR_MORE && taken < EVENTS_SHARED &&
           had - EVENTS_OWN < (EVENTS_SHARED - taken) / EVENTS_PART;
}

static __always_inline void note_shared(u32 had)
{
    if (had >= EVENTS_OWN)
        __sync_fetch_and_add(&shared_taken, 1);
}

static __always_inline bool within_budget(struct cgroup_state *state, bool hard)
{
    if (state->epoch != epoch) {
        state->epoch = epoch;
        state->events = 0;
        state->hard = 0;
    }
    if (state->events < EVENTS_PER_CGROUP && may_have(state->events))
        return true;
    if (!hard || state->hard >= HARD_PER_CGROUP)
        return false;
    state->hard++;
    return true;
}

/* Whether it is an event. Decided before room is reserved, so that nothing reserved is ever given
 * back: the reader isn't woken for what follows on that. */
static __noinline bool is_new(struct place *place, const struct seen_key *key, bool hard)
{
    struct seen_entry *entry = bpf_map_lookup_elem(&seen, key);
    const struct seen_entry first = {.count = 1, .epoch = epoch};
    count(place->state, key->kind, COUNTED);
    if (entry && entry->epoch == epoch) {
        add(&entry->count, 1);
        count(place->state, key->kind, DEDUPLICATED);
        return false;
    }
    if (!place->state->announced) /* whose drops they are has to be known, too */
        announce(place);
    if (!within_budget(place->state, hard)) {
        count(place->state, key->kind, DROPPED);
        return false;
    }
    bpf_map_update_elem(&seen, key, &first, BPF_ANY);
    return true;
}

/* There was no room: the next one of its kind tries again. */
static __always_inline void not_sent(struct place *place, const struct seen_key *key)
{
    bpf_map_delete_elem(&seen, key);
    count(place->state, key->kind, DROPPED);
}

static __always_inline void sent(struct place *place, const struct seen_key *key)
{
    note_shared(place->state->events++);
    count(place->state, key->kind, SENT);
}

static __always_inline u64 mix(u64 hash, u64 word)
{
    hash ^= word;
    hash *= 0x9e3779b97f4a7c15ULL;
    return hash ^ (hash >> 29);
}

static __always_inline u64 mix_path(u64 hash, const struct scratch *scratch)
{
    for (int i = 0; i < WORDS; i++)
        hash = mix(hash, scratch->path[i]);
    return hash;
}

static __always_inline struct file *program_file(struct task_struct *task)
{
    return BPF_CORE_READ(task, mm, exe_file);
}

static __always_inline void read_program(char *out, struct task_struct *task)
{
    struct file *file = program_file(task);
    out[0] = '\0';
    bpf_probe_read_kernel_str(out, EVENT_PROGRAM_CAP,
                              BPF_CORE_READ(file, f_path.dentry, d_name.name));
}

static __always_inline u64 changed_ns(struct inode *inode)
{
    const u64 second = 1000000000;
    struct inode___before_6_11 *older = (struct inode___before_6_11 *)inode;
    struct inode___before_6_6 *oldest = (struct inode___before_6_6 *)inode;
    if (bpf_core_field_exists(inode->i_ctime_sec))
        return BPF_CORE_READ(inode, i_ctime_sec) * second + BPF_CORE_READ(inode, i_ctime_nsec);
    if (bpf_core_field_exists(older->__i_ctime))
        return BPF_CORE_READ(older, __i_ctime.tv_sec) * second +
               BPF_CORE_READ(older, __i_ctime.tv_nsec);
    return BPF_CORE_READ(oldest, i_ctime.tv_sec) * second + BPF_CORE_READ(oldest, i_ctime.tv_nsec);
}

/* The time of an inode's last change can't be set back by its owner, so what was written, copied
 * or made executable since is told from what the image brought. */
static __always_inline u32 origin_of(const struct place *place, struct inode *inode,
                                     const char *program)
{
    u32 flags = 0;
    u64 started_ns = place->state->started_boot_ns;
    if (!BPF_CORE_READ(inode, i_nlink))
        flags |= program[0] == 'm' && program[1] == 'e' && program[2] == 'm' && program[3] == 'f' &&
                         program[4] == 'd' && program[5] == ':'
                     ? EVENT_MEMFD
                     : EVENT_UNLINKED;
    if (started_ns && place->state->clock != CLOCK_DIFFERS &&
        changed_ns(inode) > started_ns + real_offset_ns)
        flags |= EVENT_DROPPED;
    return flags;
}

/* A container's first program was there before it. If it seems to have changed later, the node's
 * clock was set back since the image came, and everything of the image would look as if it had been
 * dropped: then times tell nothing of this container. */
static __always_inline void judge_clock(struct place *place, struct task_struct *task)
{
    struct file *file = program_file(task);
    u64 started_ns = place->state->started_boot_ns;
    bool later = changed_ns(BPF_CORE_READ(file, f_inode)) > started_ns + real_offset_ns;
    place->state->clock = later ? CLOCK_DIFFERS : CLOCK_AGREES;
}

static __always_inline u64 hash_program(struct task_struct *task)
{
    struct file *file = program_file(task);
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    return mix(mix(seed, BPF_CORE_READ(inode, i_ino)), BPF_CORE_READ(inode, i_sb, s_dev));
}

static __always_inline void send_program(struct place *place, struct scratch *scratch, u32 flags)
{
    struct task_struct *task = place->task;
    struct task_struct *parent = BPF_CORE_READ(task, real_parent);
    char program[EVENT_PROGRAM_CAP] = "";
    read_program(program, place->task);
    struct file *file = program_file(task);
    flags |= origin_of(place, BPF_CORE_READ(file, f_inode), program);
    u64 hash = mix(hash_program(task), hash_program(parent));
    hash = mix(hash, (u64)BPF_CORE_READ(task, cred, euid.val) << 32 | flags);
    const struct seen_key key = {
        .cgroup = place->cgroup, .kind = EVENT_EXEC, .hash = mix_path(hash, scratch)};
    if (!is_new(place, &key, (flags & NOT_OF_IMAGE) != 0))
        return;
    struct event_path *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
    if (!event) {
        not_sent(place, &key);
        return;
    }
    fill_head(&event->head, place, &key, flags);
    __builtin_memcpy(event->path, scratch->path, sizeof(event->path));
    __builtin_memcpy(event->program, program, sizeof(event->program));
    read_program(event->parent, parent);
    bpf_ringbuf_submit(event, 0);
    sent(place, &key);
}

static __always_inline void send_user(struct place *place, u32 before, u32 now)
{
    struct task_struct *task = place->task;
    const struct seen_key key = {.cgroup = place->cgroup,
                                 .kind = EVENT_USER,
                                 .hash = mix(hash_program(place->task), (u64)before << 32 | now)};
    if (!is_new(place, &key, now == 0))
        return;
    struct event_path *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
    if (!event) {
        not_sent(place, &key);
        return;
    }
    fill_head(&event->head, place, &key, 0);
    event->head.user = now;
    event->head.other_user = before;
    event->path[0] = '\0';
    read_program(event->program, place->task);
    read_program(event->parent, BPF_CORE_READ(task, real_parent));
    bpf_ringbuf_submit(event, 0);
    sent(place, &key);
}

static __always_inline void look_at_user(struct place *place, struct task_struct *trusted)
{
    u32 now = BPF_CORE_READ(trusted, cred, euid.val);
    struct task_owner *owner =
        bpf_task_storage_get(&owners, trusted, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!owner)
        return;
    if (owner->known && owner->user != now)
        send_user(place, owner->user, now);
    owner->user = now;
    owner->known = true;
}

/* The runtime's "exec" (and probes by it) come from outside of the pod's cgroup, as the container's
 * first task did; whom the kernel gives orphans to is inside. */
static __always_inline bool in_session(struct place *place, struct task_struct *trusted)
{
    struct place of_parent;
    struct task_owner *owner =
        bpf_task_storage_get(&owners, trusted, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!owner || owner->session)
        return owner != NULL;
    if (BPF_CORE_READ(trusted, tgid) == place->state->first_task)
        return false;
    owner->session = !of_pod(&of_parent, BPF_CORE_READ(trusted, real_parent), EVENT_USER);
    return owner->session;
}

static __always_inline struct mnt_namespace *mounts_of(struct task_struct *task)
{
    return BPF_CORE_READ(task, nsproxy, mnt_ns);
}

/* Runtimes run themselves once more, by a copy that has no name or by their own file's descriptor,
 * which may be in the container's group already: by a parent outside of it, and still among the
 * parent's files. What runs in the container has the container's. */
static __always_inline bool is_runtime(struct task_struct *task, const struct scratch *scratch)
{
    struct place of_parent;
    struct task_struct *parent = BPF_CORE_READ(task, real_parent);
    struct inode *inode = BPF_CORE_READ(program_file(task), f_inode);
    bool itself =
        scratch->path[0] == DEV_FD && inode == BPF_CORE_READ(program_file(parent), f_inode);
    return (itself || !BPF_CORE_READ(inode, i_nlink)) && mounts_of(task) == mounts_of(parent) &&
           !of_pod(&of_parent, parent, EVENT_USER);
}

/* Where a runtime begins a container the group's first tasks are its own. The container's is the
 * first that came from outside and has other files than who sent it. */
static __always_inline void find_first(struct place *place, struct task_struct *task)
{
    struct place of_parent;
    struct task_struct *parent = BPF_CORE_READ(task, real_parent);
    if (place->state->begun || mounts_of(task) == mounts_of(parent) ||
        of_pod(&of_parent, parent, EVENT_USER))
        return;
    place->state->first_task = BPF_CORE_READ(task, tgid);
    place->state->begun = 1;
}

static __always_inline u64 net_of(struct task_struct *task)
{
    return BPF_CORE_READ(task, nsproxy, net_ns, net_cookie);
}

/* Where the container's first program began: later ones, and itself, may go to a network of their
 * own, in which they can play whom they like. */
static __always_inline void note_net(struct place *place, struct task_struct *task)
{
    if (!place->state->net && BPF_CORE_READ(task, tgid) == place->state->first_task)
        place->state->net = net_of(task);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(watch_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
    struct place place;
    const u32 kind = EVENT_EXEC;
    if (!of_pod(&place, task, kind))
        return 0;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &kind);
    if (!scratch)
        return 0;
    if (!place.state->announced)
        announce(&place);
    __builtin_memset(scratch->path, 0, sizeof(scratch->path));
    bpf_probe_read_kernel_str(scratch->path, sizeof(scratch->path), BPF_CORE_READ(bprm, filename));
    if (is_runtime(task, scratch))
        return 0;
    find_first(&place, task);
    note_net(&place, task);
    if (!place.state->clock && BPF_CORE_READ(task, tgid) == place.state->first_task &&
        mounts_of(task) != mounts_of(BPF_CORE_READ(task, real_parent)))
        judge_clock(&place, task);
    send_program(&place, scratch, in_session(&place, task) ? EVENT_SESSION : 0);
    look_at_user(&place, task);
    return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(watch_fork, struct task_struct *parent, struct task_struct *child)
{
    struct place place;
    if (!of_pod(&place, parent, EVENT_USER))
        return 0;
    look_at_user(&place, parent);
    struct task_owner *owner =
        bpf_task_storage_get(&owners, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    struct task_owner *of_parent = bpf_task_storage_get(&owners, parent, 0, 0);
    if (owner) {
        owner->user = BPF_CORE_READ(child, cred, euid.val);
        owner->known = true;
        owner->session = of_parent && of_parent->session;
    }
    return 0;
}

/* What became another user and never ran a program. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(watch_exit, struct task_struct *task)
{
    struct place place;
    if (of_pod(&place, task, EVENT_USER))
        look_at_user(&place, task);
    return 0;
}

struct endpoint {
    u32 words[4];
    u32 len;
    u16 port;
    u8 transport;
};

static __always_inline void send_endpoint(struct place *place, u32 kind, const struct endpoint *to,
                                          u32 flags)
{
    u64 hash = mix(mix(seed, (u64)to->words[0] << 32 | to->words[1]),
                   (u64)to->words[2] << 32 | to->words[3]);
    const struct seen_key key = {
        .cgroup = place->cgroup,
        .kind = kind,
        .hash = mix(hash, (u64)to->len << 32 | (u64)to->transport << 16 | to->port)};
    if (!is_new(place, &key, false))
        return;
    struct event_socket *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
    if (!event) {
        not_sent(place, &key);
        return;
    }
    fill_head(&event->head, place, &key, flags);
    __builtin_memcpy(event->address, to->words, sizeof(event->address));
    event->address_len = to->len;
    event->transport = to->transport;
    event->port = to->port;
    bpf_ringbuf_submit(event, 0);
    sent(place, &key);
}

/* Only in the container's own network. */
static __always_inline void note_asker(struct bpf_sock_addr *ctx, const struct place *place)
{
    const struct asker asker = {.cgroup = place->cgroup};
    u64 cookie = bpf_get_socket_cookie(ctx);
    if (place->state->net && bpf_get_netns_cookie(ctx) == place->state->net)
        bpf_map_update_elem(&askers, &cookie, &asker, BPF_ANY);
}

static __always_inline int connects(struct bpf_sock_addr *ctx, const struct endpoint *to)
{
    struct place place;
    if (!of_pod(&place, (struct task_struct *)bpf_get_current_task(), EVENT_CONNECT))
        return 1;
    if (to->port == DNS_PORT && to->transport == PROTOCOL_UDP)
        note_asker(ctx, &place);
    add(&place.state->connections, 1);
    send_endpoint(&place, EVENT_CONNECT, to, 0);
    return 1;
}

static __always_inline int connects4(struct bpf_sock_addr *ctx)
{
    struct endpoint to = {.words = {ctx->user_ip4},
                          .len = 4,
                          .port = __builtin_bswap16(ctx->user_port),
                          .transport = ctx->protocol};
    return connects(ctx, &to);
}

static __always_inline int connects6(struct bpf_sock_addr *ctx)
{
    struct endpoint to = {
        .words = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]},
        .len = 16,
        .port = __builtin_bswap16(ctx->user_port),
        .transport = ctx->protocol};
    return connects(ctx, &to);
}

SEC("cgroup/connect4")
int watch_connect4(struct bpf_sock_addr *ctx)
{
    return connects4(ctx);
}

SEC("cgroup/connect6")
int watch_connect6(struct bpf_sock_addr *ctx)
{
    return connects6(ctx);
}

SEC("cgroup/sendmsg4")
int watch_sendmsg4(struct bpf_sock_addr *ctx)
{
    return connects4(ctx);
}

SEC("cgroup/sendmsg6")
int watch_sendmsg6(struct bpf_sock_addr *ctx)
{
    return connects6(ctx);
}

#include "answers.h"

static __always_inline bool read_endpoint(struct endpoint *out, const struct sock *sock)
{
    u16 family = BPF_CORE_READ(sock, __sk_common.skc_family);
    *out = (struct endpoint){.transport = BPF_CORE_READ(sock, sk_protocol),
                             .port = __builtin_bswap16(BPF_CORE_READ(sock, __sk_common.skc_dport))};
    if (family == FAMILY_INET) {
        out->len = 4;
        out->words[0] = BPF_CORE_READ(sock, __sk_common.skc_daddr);
    } else if (family == FAMILY_INET6) {
        out->len = 16;
        bpf_core_read(&out->words, sizeof(out->words), &sock->__sk_common.skc_v6_daddr);
    }
    return out->len != 0;
}

/* The port alone: it is the same on all replicas, addresses aren't. */
static __always_inline void send_listen(struct place *place, const struct sock *sock, u32 flags)
{
    struct endpoint at = {.transport = BPF_CORE_READ(sock, sk_protocol),
                          .port = BPF_CORE_READ(sock, __sk_common.skc_num)};
    send_endpoint(place, EVENT_LISTEN, &at, flags);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(watch_state, const struct sock *sock, int before, int state)
{
    struct place place;
    struct endpoint to;
    if (state != STATE_LISTEN && !(connect_by_state && state == STATE_SYN_SENT))
        return 0;
    if (!of_pod(&place, (struct task_struct *)bpf_get_current_task(), EVENT_LISTEN))
        return 0;
    if (state == STATE_LISTEN) {
        send_listen(&place, sock, 0);
    } else if (read_endpoint(&to, sock)) {
        add(&place.state->connections, 1);
        send_endpoint(&place, EVENT_CONNECT, &to, 0);
    }
    return 0;
}

static __always_inline bool leaves_pod(const struct sock *sock)
{
    struct endpoint to;
    if (!read_endpoint(&to, sock))
        return false;
    if (to.len == 4)
        return (to.words[0] & 0xff) != 127;
    if (to.words[0] || to.words[1])
        return true;
    if (to.words[2] == __builtin_bswap32(0xffff))
        return (to.words[3] & 0xff) != 127;
    return to.words[2] || to.words[3] != __builtin_bswap32(1);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(watch_send, struct sock *sock, int sent_bytes)
{
    struct place place;
    if (sent_bytes <= 0 || !leaves_pod(sock))
        return 0;
    if (of_pod(&place, (struct task_struct *)bpf_get_current_task(), EVENT_CONNECT))
        add(&place.state->bytes_out, sent_bytes);
    return 0;
}

/* Instead of the last one in kernels that don't have it. */
SEC("?cgroup_skb/egress")
int watch_egress(struct __sk_buff *skb)
{
    u64 id = bpf_skb_cgroup_id(skb);
    struct cgroup_state *state = bpf_map_lookup_elem(&cgroups, &id);
    if (state && state->tracked)
        add(&state->bytes_out, skb->len);
    return 1;
}

#include "files.h"

/* What runs already. */
SEC("iter/task")
int list_tasks(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    struct place place;
    const u32 kind = EVENT_EXEC;
    struct scratch *scratch = bpf_map_lookup_elem(&scratches, &kind);
    if (!task || !scratch || task->pid != task->tgid || !of_pod(&place, task, kind))
        return 0;
    if (!place.state->announced)
        announce(&place);
    is_oldest(&place, BPF_CORE_READ(task, start_boottime));
    struct mm_struct *mm = task->mm;
    struct file *file = mm ? mm->exe_file : NULL;
    if (!file)
        return 0;
    if (task->tgid == place.state->first_task)
        find_first(&place, task);
    note_net(&place, task);
    if (task->tgid == place.state->first_task)
        judge_clock(&place, task);
    __builtin_memset(scratch->path, 0, sizeof(scratch->path));
    bpf_d_path(&file->f_path, (char *)scratch->path, sizeof(scratch->path));
    send_program(&place, scratch, EVENT_SNAPSHOT);
    return 0;
}

/* Which containers still run; and whose they are, of those that a full ring left without names. */
SEC("iter/task")
int mark_tasks(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    struct place place;
    if (!task || task->pid != task->tgid || !of_pod(&place, task, EVENT_EXEC))
        return 0;
    place.state->alive_epoch = epoch;
    if (!place.state->announced)
        announce(&place);
    return 0;
}

/* Sockets by who holds them: their own cgroup is known in the second version's hierarchy only. */
SEC("iter/task_file")
int list_sockets(struct bpf_iter__task_file *ctx)
{
    struct place place;
    struct endpoint to;
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    if (!task || !file || task->pid != task->tgid || !of_pod(&place, task, EVENT_CONNECT))
        return 0;
    struct socket *socket = bpf_sock_from_file(file);
    if (!socket)
        return 0;
    const struct sock *sock = BPF_CORE_READ(socket, sk);
    if (read_endpoint(&to, sock) && BPF_CORE_READ(sock, __sk_common.skc_state) == STATE_LISTEN)
        send_listen(&place, sock, EVENT_SNAPSHOT);
    return 0;
}
