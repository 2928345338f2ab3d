/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the end of guardd's log of alerts. Lines that aren't about pods cost a search. */
#include "alerts.h"

#include "ledger.h"

#include "common/document_members.h"
#include "common/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_MAX = 4 << 20 };

/* The pod of another name, of the same workload as far as names tell. */
static bool is_other(const struct pod_order *order, const char *name)
{
    char prefix[2 * GUARD_POD_NAME_MAX + 4];
    bool named = strncmp(order->pod, order->workload, strlen(order->workload)) == 0;
    snprintf(prefix, sizeof(prefix), "%s/%s", order->name_space, named ? order->workload : "");
    if (strncmp(name, prefix, strlen(prefix)) != 0)
        return false;
    return strcmp(name + strlen(order->name_space) + 1, order->pod) != 0;
}

static bool is_evidence(const struct pod_order *order, const char *observed)
{
    char told[POD_ORDER_TEXT_MAX + 1], known[POD_ORDER_TEXT_MAX + 1];
    ledger_evidence(told, observed);
    for (uint32_t i = 0; i < order->evidence_count; i++) {
        ledger_evidence(known, order->evidence[i].text);
        if (strcmp(told, known) == 0)
            return true;
    }
    return false;
}

static bool tells(const struct document_node *alert, const struct pod_order *order)
{
    const struct document_node *findings = member_of(alert, "findings");
    if (findings == NULL || findings->kind != DOCUMENT_SEQUENCE ||
        strcmp(text_of(alert, "service"), order->service) != 0 ||
        whole_of(alert, "time_ms") < (int64_t)order->decided_ms)
        return false;
    for (const struct document_node *one = findings->first; one != NULL; one = one->next) {
        if (strcmp(text_of(one, "part"), "pod") == 0 && is_other(order, text_of(one, "name")) &&
            is_evidence(order, text_of(one, "observed")))
            return true;
    }
    return false;
}

static bool line_tells(struct guard_span line, const struct pod_order *order)
{
    static const char mark[] = "\"part\":\"pod\"";
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct guard_err err;
    if (memmem(line.ptr, line.len, mark, sizeof(mark) - 1) == NULL)
        return false;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    bool told = document_parse(&document, "alert", line, &arena, &err) == GUARD_OK &&
                tells(document.root, order);
    guard_arena_reset(&arena);
    return told;
}

/* The caller frees; NULL: there is nothing. */
static uint8_t *read_end(const char *guard, size_t *len)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    uint8_t *bytes = NULL;
    ssize_t got = -1;
    snprintf(path, sizeof(path), "%.900s/alerts.jsonl", guard);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (bytes = malloc(ALERTS_LOOK)) != NULL)
        got = pread(fd, bytes, ALERTS_LOOK,
                    info.st_size > ALERTS_LOOK ? info.st_size - ALERTS_LOOK : 0);
    close(fd);
    *len = got > 0 ? (size_t)got : 0;
    return bytes;
}

bool alerts_tell_of_another(const char *guard, const struct pod_order *order)
{
    size_t len = 0;
    bool told = false;
    uint8_t *bytes = read_end(guard, &len);
    for (size_t at = 0; bytes != NULL && at < len && !told;) {
        const uint8_t *end = memchr(bytes + at, '\n', len - at);
        size_t size = end != NULL ? (size_t)(end - bytes) - at : len - at;
        told = line_tells((struct guard_span){bytes + at, size}, order);
        at += size + 1;
    }
    free(bytes);
    return told;
}
