/* SPDX-License-Identifier: Apache-2.0 */
/* Of the kernel's types only the members that podwatch reads: libbpf finds each in the running
 * kernel's BTF when it loads the programs, so neither their order nor what is left out matters, and
 * nothing is taken from the kernel of the machine that builds. */
#ifndef PODWATCH_BPF_KERNEL_H
#define PODWATCH_BPF_KERNEL_H

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
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

enum bpf_map_type {
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_RINGBUF = 27,
    BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_RB_AVAIL_DATA = 0 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_F_NO_PREALLOC = 1, BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };

struct bpf_map;
struct seq_file;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
    struct kernfs_node *__parent;
    const char *name;
    u64 id;
};
struct kernfs_node___before_6_15 {
    struct kernfs_node *parent;
};
struct cgroup {
    int level;
    struct kernfs_node *kn;
};
struct cgroup_subsys_state {
    struct cgroup *cgroup;
};
struct css_set {
    struct cgroup_subsys_state *subsys[1];
    struct cgroup *dfl_cgrp;
};
typedef struct {
    unsigned int val;
} kuid_t;
struct cred {
    kuid_t uid;
    kuid_t euid;
};
struct qstr {
    const unsigned char *name;
};
struct super_block {
    u32 s_dev;
};
struct inode {
    unsigned long i_ino;
    const unsigned int i_nlink;
    struct super_block *i_sb;
    __s64 i_ctime_sec;
    u32 i_ctime_nsec;
};
struct timespec64 {
    __s64 tv_sec;
    long tv_nsec;
};
struct inode___before_6_11 {
    struct timespec64 __i_ctime;
};
struct inode___before_6_6 {
    struct timespec64 i_ctime;
};
struct dentry {
    struct qstr d_name;
};
struct path {
    struct dentry *dentry;
};
struct file {
    struct path f_path;
    struct inode *f_inode;
};
struct mm_struct {
    struct file *exe_file;
};
struct mnt_namespace;
struct net {
    u64 net_cookie;
};
struct nsproxy {
    struct mnt_namespace *mnt_ns;
    struct net *net_ns;
};
struct task_struct {
    int pid;
    int tgid;
    u64 start_boottime;
    struct mm_struct *mm;
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    const struct cred *cred;
    struct css_set *cgroups;
    struct nsproxy *nsproxy;
};
struct linux_binprm {
    const char *filename;
};
struct in6_addr {
    u32 words[4];
};
struct sock_common {
    __be32 skc_daddr;
    __be32 skc_rcv_saddr;
    __be16 skc_dport;
    u16 skc_num;
    u16 skc_family;
    volatile u8 skc_state;
    struct in6_addr skc_v6_daddr;
};
struct sock {
    struct sock_common __sk_common;
    u16 sk_protocol;
};
struct socket {
    struct sock *sk;
};
struct bpf_iter_meta {
    struct seq_file *seq;
};
struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
};
struct bpf_iter__task_file {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    u32 fd;
    struct file *file;
};

#pragma clang attribute pop

enum cgroup_subsys_id { memory_cgrp_id = 4 };

/* What programs are called with: laid out by the interface to user space, never moved. */
struct bpf_sock_addr {
    u32 user_family;
    u32 user_ip4;
    u32 user_ip6[4];
    u32 user_port;
    u32 family;
    u32 type;
    u32 protocol;
};
struct __sk_buff {
    u32 len;
    u32 pkt_type;
    u32 mark;
    u32 queue_mapping;
    u32 protocol;
    u32 vlan_present;
    u32 vlan_tci;
    u32 vlan_proto;
    u32 priority;
    u32 ingress_ifindex;
    u32 ifindex;
};
struct sys_enter {
    u64 head;
    long id;
    unsigned long args[6];
};

#endif
