/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the responder that knows libbpf. A link lasts as long as its descriptor is open in
 * some process, so children that outlive this one must not have it. */
#include "contain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Made by bpftool of bpf/contain.bpf.c; its conversions are not ours. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <contain.skel.h>
#pragma GCC diagnostic pop

enum { HOOKS = 5 };

struct contained {
    uint64_t number; /* 0: none */
    struct bpf_link *hooks[HOOKS];
};

struct containing {
    struct contain_bpf *skeleton;
    struct bpf_link *exec; /* while a group is contained: others don't pay for it otherwise */
    struct contained groups[CONTAIN_GROUPS_MAX];
    uint32_t count;
};

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level, (void)format, (void)arguments;
    return 0;
}

enum guard_rc containing_open(struct containing **out, const struct contain_allow *allow,
                              size_t count, struct guard_err *err)
{
    struct containing *containing = calloc(1, sizeof(*containing));
    *out = NULL;
    if (containing == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    libbpf_set_print(quiet);
    containing->skeleton = contain_bpf__open();
    int error = containing->skeleton == NULL ? errno : 0;
    if (error == 0) {
        memcpy((void *)containing->skeleton->rodata->allowed, allow, count * sizeof(*allow));
        error = -contain_bpf__load(containing->skeleton);
    }
    if (error != 0) {
        containing_close(containing);
        return guard_fail(err, GUARD_E_IO, "the kernel takes no programs that contain: %s",
                          strerror(error));
    }
    *out = containing;
    return GUARD_OK;
}

static struct contained *find(struct containing *containing, uint64_t number)
{
    for (size_t i = 0; i < CONTAIN_GROUPS_MAX; i++) {
        if (containing->groups[i].number == number)
            return &containing->groups[i];
    }
    return NULL;
}

static void let_go(struct containing *containing, struct contained *group)
{
    for (size_t i = 0; i < HOOKS; i++)
        bpf_link__destroy(group->hooks[i]);
    (void)bpf_map_delete_elem(bpf_map__fd(containing->skeleton->maps.groups), &group->number);
    *group = (struct contained){0};
}

static void rest(struct containing *containing)
{
    if (containing->count > 0)
        return;
    bpf_link__destroy(containing->exec);
    containing->exec = NULL;
}

void containing_close(struct containing *containing)
{
    if (containing == NULL)
        return;
    for (size_t i = 0; i < CONTAIN_GROUPS_MAX; i++)
        contain_end(containing, containing->groups[i].number);
    contain_bpf__destroy(containing->skeleton);
    free(containing);
}

static enum guard_rc attach(struct containing *containing, struct contained *group, int fd,
                            struct guard_err *err)
{
    const struct contain_counts none = {0};
    const struct bpf_program *programs[HOOKS] = {
        containing->skeleton->progs.contain_connect4, containing->skeleton->progs.contain_connect6,
        containing->skeleton->progs.contain_sendmsg4, containing->skeleton->progs.contain_sendmsg6,
        containing->skeleton->progs.contain_socket};
    int error = -bpf_map_update_elem(bpf_map__fd(containing->skeleton->maps.groups), &group->number,
                                     &none, BPF_ANY);
    if (error != 0)
        return guard_fail(err, GUARD_E_IO, "the group can't be noted: %s", strerror(error));
    if (containing->exec == NULL)
        containing->exec = bpf_program__attach(containing->skeleton->progs.contain_exec);
    if (containing->exec == NULL)
        return guard_fail(err, GUARD_E_IO, "programs can't be stopped: %s", strerror(errno));
    for (size_t i = 0; i < HOOKS; i++) {
        group->hooks[i] = bpf_program__attach_cgroup(programs[i], fd);
        if (group->hooks[i] == NULL)
            return guard_fail(err, GUARD_E_IO, "%s can't be attached: %s",
                              bpf_program__name(programs[i]), strerror(errno));
    }
    return GUARD_OK;
}

enum guard_rc contain(struct containing *containing, int group, uint64_t number,
                      struct guard_err *err)
{
    if (containing == NULL)
        return guard_fail(err, GUARD_E_IO, "the programs that contain aren't loaded");
    if (number == 0 || find(containing, number) != NULL)
        return number == 0 ? guard_fail(err, GUARD_E_RANGE, "a group without number") : GUARD_OK;
    struct contained *room = find(containing, 0);
    if (room == NULL)
        return guard_fail(err, GUARD_E_LIMIT, "%d pods are contained", CONTAIN_GROUPS_MAX);
    room->number = number;
    enum guard_rc rc = attach(containing, room, group, err);
    if (rc == GUARD_OK)
        containing->count++;
    else
        let_go(containing, room);
    rest(containing);
    return rc;
}

void contain_end(struct containing *containing, uint64_t number)
{
    struct contained *group = containing != NULL && number != 0 ? find(containing, number) : NULL;
    if (group == NULL)
        return;
    let_go(containing, group);
    containing->count--;
    rest(containing);
}

void contain_counts(const struct containing *containing, uint64_t number,
                    struct contain_counts *out)
{
    *out = (struct contain_counts){0};
    if (containing != NULL)
        (void)bpf_map_lookup_elem(bpf_map__fd(containing->skeleton->maps.groups), &number, out);
}
