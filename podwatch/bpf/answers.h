/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of DNS on their way to a pod. What they mean is read in user space; here only whether
 * one is new is told, by its question and addresses whatever their order and times to live. */
#ifndef PODWATCH_BPF_ANSWERS_H
#define PODWATCH_BPF_ANSWERS_H

enum {
    ETHERTYPE_IP = 0x0800,
    ETHERTYPE_IPV6 = 0x86dd,
    IP4_BYTES = 20,
    IP6_BYTES = 40,
    UDP_BYTES = 8,
    DNS_HEAD_BYTES = 12,
    NAME_WORDS = 33, /* with type and class */
    LABELS_LOOKED_AT = 40,
    ANSWERS_LOOKED_AT = 24,
    POINTER_ANSWER_BYTES = 12, /* of a record whose owner is a pointer, without its data */
};

struct datagram {
    u8 resolver[16];
    u32 resolver_len;
    u32 at; /* where its data begins */
    u32 len;
};

static __always_inline bool read_udp(struct __sk_buff *skb, u32 at, struct datagram *out)
{
    u8 udp[UDP_BYTES];
    if (bpf_skb_load_bytes(skb, at, udp, sizeof(udp)) || udp[0] || udp[1] != DNS_PORT ||
        skb->len < at + UDP_BYTES + DNS_HEAD_BYTES)
        return false;
    out->at = at + UDP_BYTES;
    out->len = skb->len - out->at;
    return true;
}

static __always_inline bool read_datagram(struct __sk_buff *skb, struct datagram *out)
{
    u8 head[IP6_BYTES];
    __builtin_memset(out, 0, sizeof(*out));
    if (skb->protocol == __builtin_bswap16(ETHERTYPE_IP)) {
        if (bpf_skb_load_bytes(skb, 0, head, IP4_BYTES) || head[9] != PROTOCOL_UDP)
            return false;
        out->resolver_len = 4;
        __builtin_memcpy(out->resolver, head + 12, 4);
        return read_udp(skb, (head[0] & 0xf) * 4, out);
    }
    if (skb->protocol != __builtin_bswap16(ETHERTYPE_IPV6) ||
        bpf_skb_load_bytes(skb, 0, head, IP6_BYTES) || head[6] != PROTOCOL_UDP)
        return false;
    out->resolver_len = 16;
    __builtin_memcpy(out->resolver, head + 8, 16);
    return read_udp(skb, IP6_BYTES, out);
}

/* A place in the message by way of its memory: the verifier then knows of all ways that lead here
 * the same, and looks at what follows once. */
static __always_inline u32 place_in(struct message *message, u32 at)
{
    message->cursor = at;
    return message->cursor & (ANSWER_ROOM / 2 - 1);
}

static __always_inline u64 word_at(struct message *message, u32 at)
{
    u64 word;
    __builtin_memcpy(&word, message->bytes + place_in(message, at), sizeof(word));
    return word;
}

/* Behind the question's name; 0: it is broken, compressed or has very many labels. */
static __always_inline u32 end_of_name(struct message *message)
{
    u32 at = DNS_HEAD_BYTES;
    for (u32 i = 0; i < LABELS_LOOKED_AT; i++) {
        at = place_in(message, at);
        u8 len = message->bytes[at];
        if (!len)
            return at + 1;
        if (len > 63)
            return 0;
        at += 1 + len;
    }
    return 0;
}

/* Whatever the case of its letters. */
static __always_inline u64 hash_name(struct message *message, u64 hash, u32 end)
{
    for (u32 i = 0; i < NAME_WORDS; i++) {
        u32 at = DNS_HEAD_BYTES + i * sizeof(u64);
        if (at >= end)
            break;
        hash = mix(hash, word_at(message, at) | 0x2020202020202020ULL);
    }
    return hash;
}

static __always_inline u64 hash_answers(struct message *message, u32 at, u32 answers)
{
    u64 sum = 0;
    for (u32 i = 0; i < ANSWERS_LOOKED_AT; i++) {
        if (i >= answers)
            break;
        at = place_in(message, at);
        u64 head = word_at(message, at), size = word_at(message, at + 10);
        if ((head & 0xc0) != 0xc0) /* an owner of unusual form */
            return mix(sum, word_at(message, at + 8));
        size = (size & 0xff) << 8 | (size >> 8 & 0xff);
        u64 data = word_at(message, at + POINTER_ANSWER_BYTES);
        data = mix(mix(seed, size <= 4 ? data & 0xffffffff : data), size);
        sum += mix(data, size > 8 ? word_at(message, at + POINTER_ANSWER_BYTES + 8) : 0);
        at += POINTER_ANSWER_BYTES + size;
    }
    return sum;
}

static __always_inline u64 hash_message(struct message *message)
{
    u64 head = word_at(message, 0);
    u32 answers = (head >> 48 & 0xff) << 8 | head >> 56;
    u64 hash = mix(seed, head >> 16);
    u32 end = end_of_name(message);
    if (!end)
        return mix(hash, word_at(message, DNS_HEAD_BYTES));
    end = place_in(message, end);
    return hash_name(message, hash, end + 4) + hash_answers(message, end + 4, answers);
}

static __always_inline bool is_new_answer(struct cgroup_state *state, const struct seen_key *key)
{
    struct seen_entry *entry = bpf_map_lookup_elem(&seen, key);
    const struct seen_entry first = {.count = 1, .epoch = epoch};
    count(state, EVENT_ANSWER, COUNTED);
    if (entry && entry->epoch == epoch) {
        add(&entry->count, 1);
        count(state, EVENT_ANSWER, DEDUPLICATED);
        return false;
    }
    if (state->answer_epoch != epoch) {
        state->answer_epoch = epoch;
        state->answers = 0;
    }
    if (state->answers >= ANSWERS_PER_CGROUP || !may_have(state->answers)) {
        count(state, EVENT_ANSWER, DROPPED);
        return false;
    }
    note_shared(state->answers++);
    bpf_map_update_elem(&seen, key, &first, BPF_ANY);
    return true;
}

static __always_inline void send_answer(struct cgroup_state *state, const struct seen_key *key,
                                        const struct datagram *datagram,
                                        const struct message *message)
{
    struct event_answer *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
    if (!event) {
        bpf_map_delete_elem(&seen, key);
        count(state, EVENT_ANSWER, DROPPED);
        return;
    }
    __builtin_memset(&event->head, 0, sizeof(event->head));
    event->head.key = *key;
    event->head.boot_ns = bpf_ktime_get_boot_ns();
    event->head.kind = EVENT_ANSWER;
    __builtin_memcpy(event->resolver, datagram->resolver, sizeof(event->resolver));
    event->resolver_len = datagram->resolver_len;
    event->len = datagram->len;
    bpf_probe_read_kernel(event->bytes, sizeof(event->bytes), message->bytes);
    bpf_ringbuf_submit(event, 0);
    count(state, EVENT_ANSWER, SENT);
}

/* To sockets that asked. What a pod tells itself comes by its loopback. */
SEC("cgroup_skb/ingress")
int watch_answers(struct __sk_buff *skb)
{
    const u32 zero = 0;
    struct datagram datagram;
    if (skb->ifindex == LOOPBACK || !read_datagram(skb, &datagram))
        return 1;
    u64 cookie = bpf_get_socket_cookie(skb);
    const struct asker *asker = bpf_map_lookup_elem(&askers, &cookie);
    struct message *message = bpf_map_lookup_elem(&messages, &zero);
    if (!asker || !message)
        return 1;
    u64 cgroup = asker->cgroup;
    struct cgroup_state *state = bpf_map_lookup_elem(&cgroups, &cgroup);
    if (!state)
        return 1;
    u32 len = datagram.len < ANSWER_CAP ? datagram.len : ANSWER_CAP;
    asm volatile("" : "+r"(len));
    len &= ANSWER_ROOM / 2 - 1;
    __builtin_memset(message->bytes, 0, DNS_HEAD_BYTES);
    if (len < DNS_HEAD_BYTES || bpf_skb_load_bytes(skb, datagram.at, message->bytes, len))
        return 1;
    const struct seen_key key = {
        .cgroup = cgroup, .kind = EVENT_ANSWER, .hash = hash_message(message)};
    if (is_new_answer(state, &key))
        send_answer(state, &key, &datagram, message);
    return 1;
}

#endif
