/* SPDX-License-Identifier: Apache-2.0 */
/* A build without libbpf or clang: groups can be frozen, and that is all. */
#include "contain.h"

enum guard_rc containing_open(struct containing **out, const struct contain_allow *allow,
                              size_t count, struct guard_err *err)
{
    (void)allow, (void)count;
    *out = NULL;
    return guard_fail(err, GUARD_E_IO, "this build has no programs for the kernel");
}

void containing_close(struct containing *containing)
{
    (void)containing;
}

enum guard_rc contain(struct containing *containing, int group, uint64_t number,
                      struct guard_err *err)
{
    (void)containing, (void)group, (void)number;
    return guard_fail(err, GUARD_E_IO, "this build has no programs for the kernel");
}

void contain_end(struct containing *containing, uint64_t number)
{
    (void)containing, (void)number;
}

void contain_counts(const struct containing *containing, uint64_t number,
                    struct contain_counts *out)
{
    (void)containing, (void)number;
    *out = (struct contain_counts){0};
}
