/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's types that the programs are called with: laid out by the interface to user space,
 * never moved, so nothing is taken from the kernel of the machine that builds. */
#ifndef RESPONDER_BPF_KERNEL_H
#define RESPONDER_BPF_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef __u32 u32;
typedef __u64 u64;

enum bpf_map_type { BPF_MAP_TYPE_HASH = 1 };

struct bpf_sock_addr {
    u32 user_family;
    u32 user_ip4;
    u32 user_ip6[4];
    u32 user_port;
    u32 family;
    u32 type;
    u32 protocol;
};
struct bpf_sock {
    u32 bound_dev_if;
    u32 family;
    u32 type;
    u32 protocol;
};

#endif
