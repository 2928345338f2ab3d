/* SPDX-License-Identifier: Apache-2.0 */
/* A link lasts as long as its descriptor is open in
 * some process, so children that outlive this one must not have it. */
#include "contain.h"

#include "contain_object.h"

#include "common/bpf/kernel_object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const hooks[] = {"contain_connect4", "contain_connect6", "contain_sendmsg4",
                                    "contain_sendmsg6", "contain_socket"};
enum { HOOKS = sizeof(hooks) / sizeof(hooks[0]) };

struct contained {
    uint64_t number; /* 0: none */
    struct bpf_link *hooks[HOOKS];
};

struct containing {
    struct kernel_object *object;
    int known;             /* the map of contained groups */
    struct bpf_link *exec; /* while a group is contained: others don't pay for it otherwise */
    struct contained groups[CONTAIN_GROUPS_MAX];
    uint32_t count;
};

static enum guard_rc load(struct containing *containing, const struct contain_allow *allow,
                          size_t count, struct guard_err *err)
{
    struct contain_allow allowed[CONTAIN_ALLOW_MAX] = {{.used = 0}};
    if (count > CONTAIN_ALLOW_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "more than %d destinations that stay open",
                          CONTAIN_ALLOW_MAX);
    if (count > 0)
        memcpy(allowed, allow, count * sizeof(*allow));
    GUARD_TRY(kernel_object_open(
        &containing->object, (struct guard_span){contain_object_bytes, contain_object_len}, err));
    GUARD_TRY(kernel_object_set(containing->object, "allowed", allowed, sizeof(allowed), err));
    int error = kernel_object_load(containing->object);
    containing->known = error == 0 ? kernel_object_map(containing->object, "groups") : -1;
    if (error == 0 && containing->known < 0)
        error = ENOENT;
    return error == 0 ? GUARD_OK
                      : guard_fail(err, GUARD_E_IO, "the kernel takes no programs that contain: %s",
                                   strerror(error));
}

enum guard_rc containing_open(struct containing **out, const struct contain_allow *allow,
                              size_t count, struct guard_err *err)
{
    struct containing *containing = calloc(1, sizeof(*containing));
    *out = NULL;
    if (containing == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    enum guard_rc rc = load(containing, allow, count, err);
    if (rc == GUARD_OK)
        *out = containing;
    else
        containing_close(containing);
    return rc;
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
        kernel_detach(group->hooks[i]);
    kernel_map_remove(containing->known, &group->number);
    *group = (struct contained){0};
}

static void rest(struct containing *containing)
{
    if (containing->count > 0)
        return;
    kernel_detach(containing->exec);
    containing->exec = NULL;
}

void containing_close(struct containing *containing)
{
    if (containing == NULL)
        return;
    for (size_t i = 0; i < CONTAIN_GROUPS_MAX; i++)
        contain_end(containing, containing->groups[i].number);
    kernel_object_close(containing->object);
    free(containing);
}

static enum guard_rc attach(struct containing *containing, struct contained *group, int fd,
                            struct guard_err *err)
{
    const struct contain_counts none = {0};
    int error = kernel_map_put(containing->known, &group->number, &none);
    if (error != 0)
        return guard_fail(err, GUARD_E_IO, "the group can't be noted: %s", strerror(error));
    if (containing->exec == NULL)
        containing->exec = kernel_attach(containing->object, "contain_exec");
    if (containing->exec == NULL)
        return guard_fail(err, GUARD_E_IO, "programs can't be stopped: %s", strerror(errno));
    for (size_t i = 0; i < HOOKS; i++) {
        group->hooks[i] = kernel_attach_group(containing->object, hooks[i], fd);
        if (group->hooks[i] == NULL)
            return guard_fail(err, GUARD_E_IO, "%s can't be attached: %s", hooks[i],
                              strerror(errno));
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
        (void)kernel_map_get(containing->known, &number, out);
}
