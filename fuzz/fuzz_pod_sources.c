/* SPDX-License-Identifier: Apache-2.0 */
/* What pods' sensors read of others: names of cgroups, lists of pods, Falco's events, the kernel's
 * netlink messages. The first byte says which. */
#include "common/file.h"
#include "common/pods/cgroup_name.h"
#include "common/pods/falco_event.h"
#include "common/pods/pod_list.h"
#include "common/pods/socket_message.h"

#include <stdlib.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_name(const char *name, size_t cap)
{
    size_t len = 0;
    for (; len < cap && name[len] != '\0'; len++)
        check(name[len] > ' ' && name[len] < 0x7f && name[len] != '/');
    check(len > 0 && len < cap);
}

static void run_names(struct guard_span input)
{
    struct pod_cgroup names;
    if (pod_cgroup_of_path(&names, input)) {
        check_name(names.pod, sizeof(names.pod));
        check_name(names.container, sizeof(names.container));
    }
}

static void run_list(struct guard_span input)
{
    struct pod_list *list = NULL;
    struct guard_err err;
    struct pod_cgroup names = {.pod = "u-1", .container = "c1", .kubernetes = true};
    struct guard_pod_identity id = {0};
    if (pod_list_parse(&list, input, &err) == GUARD_OK && pod_list_name(list, &names, &id))
        check(id.pod.len > 0 && id.pod.len <= GUARD_POD_NAME_MAX);
    if (list != NULL)
        pod_list_free(list);
}

static void run_falco(struct guard_span input)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct falco_event event;
    struct guard_err err;
    guard_arena_init(&arena, &heap, 256 * 1024);
    if (falco_event_read(&event, input, &arena, &err) == GUARD_OK && event.about_pod) {
        check(event.feature.kind < GUARD_POD_KINDS && event.feature.count == 1);
        check(event.feature.text.len <= GUARD_POD_TEXT_MAX);
        check(event.feature.kind == GUARD_POD_DESTINATION ? event.feature.address_len > 0
                                                          : event.feature.text.len > 0);
    }
    guard_arena_reset(&arena);
}

static void run_netlink(struct guard_span input)
{
    struct socket_told told;
    enum socket_message message;
    do {
        size_t before = input.len;
        message = socket_message_next(&input, 6, &told);
        check(message == SOCKET_BAD || message == SOCKET_END || input.len < before);
        if (message == SOCKET_TOLD)
            (void)socket_is_inside(&told);
    } while (message != SOCKET_END && message != SOCKET_BAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct guard_span input = {data + 1, size - 1};
    static void (*const runs[])(struct guard_span) = {run_names, run_list, run_falco, run_netlink};
    runs[data[0] % 4](input);
    return 0;
}
