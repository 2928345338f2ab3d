/* SPDX-License-Identifier: Apache-2.0 */
/* What a contained pod may no longer do: new destinations and new programs. The hooks of cgroups
 * are attached to the pod's group alone; the one of the scheduler looks whether a contained group
 * stands above the task. They last as long as the responder's descriptors. */
#include "kernel.h"

#include "responder/contain_rules.h"

#include <bpf/bpf_helpers.h>

/* Sending signals is for programs under the kernel's licence. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { TCP = 6, UDP = 17, SOCKET_RAW = 3, KILL = 9, DENY = 0, ALLOW = 1 };

const volatile struct contain_allow allowed[CONTAIN_ALLOW_MAX] = {};

/* Contained groups by their number. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, CONTAIN_GROUPS_MAX);
    __type(key, u64);
    __type(value, struct contain_counts);
} groups SEC(".maps");

static __always_inline struct contain_counts *contained(void)
{
    struct contain_counts *counts = NULL;
    for (int level = 0; level < CONTAIN_LEVELS && !counts; level++) {
        u64 id = bpf_get_current_ancestor_cgroup_id(level);
        if (!id)
            break;
        counts = bpf_map_lookup_elem(&groups, &id);
    }
    return counts;
}

static __always_inline int deny(void)
{
    struct contain_counts *counts = contained();
    if (counts)
        __sync_fetch_and_add(&counts->denied, 1);
    return DENY;
}

static __always_inline bool is_allowed(const u32 address[4], u32 port)
{
    for (int i = 0; i < CONTAIN_ALLOW_MAX; i++) {
        const volatile struct contain_allow *rule = &allowed[i];
        if (!rule->used)
            return false;
        if (rule->port && rule->port != port)
            continue;
        if (!((address[0] ^ rule->address[0]) & rule->mask[0]) &&
            !((address[1] ^ rule->address[1]) & rule->mask[1]) &&
            !((address[2] ^ rule->address[2]) & rule->mask[2]) &&
            !((address[3] ^ rule->address[3]) & rule->mask[3]))
            return true;
    }
    return false;
}

static __always_inline int judge4(const struct bpf_sock_addr *ctx)
{
    const u32 address[4] = {0, 0, __builtin_bswap32(0xffff), ctx->user_ip4};
    return is_allowed(address, ctx->user_port) ? ALLOW : deny();
}

static __always_inline int judge6(const struct bpf_sock_addr *ctx)
{
    const u32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
    return is_allowed(address, ctx->user_port) ? ALLOW : deny();
}

SEC("cgroup/connect4")
int contain_connect4(struct bpf_sock_addr *ctx)
{
    return judge4(ctx);
}

SEC("cgroup/connect6")
int contain_connect6(struct bpf_sock_addr *ctx)
{
    return judge6(ctx);
}

SEC("cgroup/sendmsg4")
int contain_sendmsg4(struct bpf_sock_addr *ctx)
{
    return judge4(ctx);
}

SEC("cgroup/sendmsg6")
int contain_sendmsg6(struct bpf_sock_addr *ctx)
{
    return judge6(ctx);
}

/* Destinations of other transports are told by no hook, so there are no new sockets of them. */
SEC("cgroup/sock_create")
int contain_socket(struct bpf_sock *ctx)
{
    bool known = ctx->type != SOCKET_RAW && (ctx->protocol == TCP || ctx->protocol == UDP);
    return known ? ALLOW : deny();
}

/* The program is there, but hasn't run yet: it never does. */
SEC("tp_btf/sched_process_exec")
int contain_exec(void *ctx)
{
    struct contain_counts *counts = contained();
    (void)ctx;
    if (!counts)
        return 0;
    __sync_fetch_and_add(&counts->killed, 1);
    bpf_send_signal(KILL);
    return 0;
}
