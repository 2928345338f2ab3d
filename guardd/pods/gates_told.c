/* SPDX-License-Identifier: Apache-2.0 */
/* What is told: {"gates":[{"pod","by","obeys","uid","attested","ago_ms"},...]}, names as the hashes
 * that they are kept by. */
#include "gates_told.h"

#include "guardd/service.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 1000, WARN_MS = 3600 * 1000, ENTRY_ROOM = 320, SHARE_BYTES = 192 * 1024 };

/* What a root writes to the others as the reporter; no token's name has a colon. */
static const char of_root[] = "root:";
/* And those that a cluster gave to single pods. */
static const char of_pod[] = "pod:";

static bool begins(const char *reporter, const char *with)
{
    return strncmp(reporter, with, strlen(with)) == 0;
}

void gates_note(struct services *services, struct service *service,
                const struct pod_gate_claim *claim, const char *who, const char *pod)
{
    static const char *const odd[POD_GATE_ANSWERS] = {
        [POD_GATE_CONTESTED] = "as somebody else does",
        [POD_GATE_TOO_MANY] = "and for too many others; it isn't taken",
        [POD_GATE_FULL] = "but there are too many; it isn't taken",
    };
    struct pod_gates *gates = &service->withdrawals.gates;
    uint64_t now_ms = clock_unix_ms();
    enum pod_gate_answer answer = pod_gates_seen(gates, claim, now_ms);
    services->pod_gate_claims[answer]++;
    if (answer == POD_GATE_TAKEN || (gates->warned_ms != 0 && now_ms >= gates->warned_ms &&
                                     now_ms - gates->warned_ms < WARN_MS))
        return;
    gates->warned_ms = now_ms;
    log_event("alarm", "pod-gate-claimed", service->name, "%s speaks for the pod %s, %s", who, pod,
              odd[answer]);
}

/* --- telling --- */

bool gates_due(struct service *service, uint64_t now_ms)
{
    struct pod_gates *gates = &service->withdrawals.gates;
    if (gates->count == 0 || gates->sending_ms != 0 ||
        (now_ms >= gates->looked_ms && now_ms - gates->looked_ms < LOOK_MS))
        return false;
    for (uint32_t i = 0; i < gates->count; i++) {
        if (pod_gate_due(&gates->list[i], now_ms))
            return true;
    }
    gates->looked_ms = now_ms;
    return false;
}

static void write_hash(struct json_writer *json, const char *name, uint64_t hash)
{
    char text[17];
    snprintf(text, sizeof(text), "%016" PRIx64, hash);
    json_text(json, name, text);
}

uint32_t gates_write(struct service *service, struct json_writer *json, uint64_t now_ms)
{
    struct pod_gates *gates = &service->withdrawals.gates;
    uint32_t count = 0;
    json_open(json, "gates", '[');
    for (uint32_t i = 0; i < gates->count && count < GATES_TOLD_MAX; i++) {
        struct pod_gate *gate = &gates->list[i];
        if (!pod_gate_due(gate, now_ms))
            continue;
        if (json->cap - json->len < ENTRY_ROOM)
            break;
        json_open(json, NULL, '{');
        write_hash(json, "pod", gate->pod);
        write_hash(json, "by", gate->by);
        write_hash(json, "obeys", gate->obeys);
        json_text(json, "uid", gate->uid);
        json_bool(json, "attested", gate->attested);
        json_integer(json, "ago_ms",
                     now_ms > gate->seen_ms ? (int64_t)(now_ms - gate->seen_ms) : 0);
        json_close(json, '}');
        gate->told_ms = now_ms;
        count++;
    }
    json_close(json, ']');
    if (count > 0)
        gates->sending_ms = now_ms;
    return count;
}

void gates_sent(struct service *service, bool good)
{
    struct pod_gates *gates = &service->withdrawals.gates;
    for (uint32_t i = 0; !good && i < gates->count; i++) {
        if (gates->list[i].told_ms == gates->sending_ms)
            gates->list[i].told_ms = 0;
    }
    gates->sending_ms = 0;
}

static void share(struct services *services, struct service *service, char *text, uint64_t now_ms)
{
    struct json_writer json;
    struct guard_err err;
    char reporter[sizeof(of_root) + sizeof(services->node_id)];
    json_writer_init(&json, text, SHARE_BYTES);
    json_open(&json, NULL, '{');
    (void)gates_write(service, &json, now_ms);
    json_close(&json, '}');
    snprintf(reporter, sizeof(reporter), "%s%s", of_root, services->node_id);
    bool good = !json.overflow &&
                told_keep(services, service, reporter,
                          (struct guard_span){(const uint8_t *)text, json.len}, &err) == GUARD_OK;
    gates_sent(service, good);
    if (good)
        services->inbox.open = true; /* people look whether a gate obeys */
}

void gates_share(struct services *services, uint64_t now_ms)
{
    char *text = NULL;
    for (uint32_t i = 0; i < services->count; i++) {
        if (!gates_due(services->list[i], now_ms))
            continue;
        if (text == NULL)
            text = malloc(SHARE_BYTES);
        if (text == NULL)
            return; /* at the next tick */
        share(services, services->list[i], text, now_ms);
    }
    free(text);
}

/* --- taking --- */

static bool hash_of(const struct document_node *node, const char *name, uint64_t *out)
{
    const char *text = text_of(node, name);
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return false;
    *out = strtoull(text, NULL, 16);
    return true;
}

/* It goes into the text that all guardds read: as strict as what a pod says of itself. */
static bool uid_good(const char *uid)
{
    struct pod_self self;
    char name[POD_ORDER_UID_MAX + 8];
    size_t len = strlen(uid);
    if (len == 0)
        return true;
    if (len > POD_ORDER_UID_MAX)
        return false;
    snprintf(name, sizeof(name), "a/b/%s", uid);
    return pod_self_read(&self, name, NULL) == GUARD_OK && strcmp(self.uid, uid) == 0;
}

static bool read_claim(struct pod_gate_claim *out, const struct document_node *node,
                       uint64_t age_ms, uint64_t now_ms)
{
    *out = (struct pod_gate_claim){.uid = ""};
    if (node->kind != DOCUMENT_MAPPING || !hash_of(node, "pod", &out->pod) ||
        !hash_of(node, "by", &out->by) || !hash_of(node, "obeys", &out->obeys) ||
        !uid_good(text_of(node, "uid")))
        return false;
    int64_t ago = whole_of(node, "ago_ms");
    age_ms += ago > 0 && ago < POD_GATES_LIVE_MS ? (uint64_t)ago : 0;
    out->uid = text_of(node, "uid");
    out->attested = strcmp(text_of(node, "attested"), "true") == 0;
    out->seen_ms = now_ms > age_ms ? now_ms - age_ms : 0;
    return ago < POD_GATES_LIVE_MS && age_ms < POD_GATES_LIVE_MS;
}

static uint64_t both(uint64_t by, const char *reporter)
{
    const uint64_t of[2] = {by, pod_gate_by(reporter)};
    return guard_checksum(9, (struct guard_span){(const uint8_t *)of, sizeof(of)}) | 1;
}

/* Names of tokens are each guardd's own: "a" at one aggregator isn't "a" at another. */
static void take(struct services *services, struct service *service, const char *reporter,
                 struct pod_gate_claim *claim, bool ours)
{
    bool root = begins(reporter, of_root);
    claim->trusted = root || tree_listed(services->inbox.whole, reporter);
    claim->attested = claim->attested && claim->trusted;
    claim->ours = ours;
    if (!claim->trusted)
        claim->by = pod_gate_by(reporter);
    else if (!root)
        claim->by = both(claim->by, reporter);
    gates_note(services, service, claim, reporter, "that it told of");
}

static void take_list(struct services *services, struct service *service, const char *reporter,
                      const struct document_node *root, uint64_t age_ms, bool ours)
{
    const struct document_node *list =
        root->kind == DOCUMENT_MAPPING ? member_of(root, "gates") : NULL;
    const struct document_node *node =
        list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
    uint64_t now_ms = clock_unix_ms();
    if (begins(reporter, of_pod)) /* it speaks for its own pod, and that elsewhere */
        return;
    for (uint32_t i = 0; node != NULL && i < GATES_TOLD_MAX; node = node->next, i++) {
        struct pod_gate_claim claim;
        if (read_claim(&claim, node, age_ms, now_ms))
            take(services, service, reporter, &claim, ours);
    }
}

void gates_take(struct services *services, struct service *service, const char *reporter,
                const struct document_node *root)
{
    /* Roots tell each other of the document as it is. */
    take_list(services, service, reporter, root, 0, services->run == 0);
}

void gates_hear(struct services *services, struct service *service, const char *reporter,
                const struct document_node *root, uint64_t age_ms)
{
    take_list(services, service, reporter, root, age_ms, false);
}
