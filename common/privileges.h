/* SPDX-License-Identifier: Apache-2.0 */
/* What a privileged program may do: as little as its work needs. */
#ifndef GUARD_COMMON_PRIVILEGES_H
#define GUARD_COMMON_PRIVILEGES_H

#include <guard/types.h>

struct privilege {
    int number; /* CAP_... */
    const char *name;
    const char *without; /* what is missing then, for the log */
};

/* Gives up for good whatever isn't wanted, and the way to get it back. Without one of those that
 * are it warns of what will be missing. GUARD_E_IO: the kernel refused to take something away. */
GUARD_MUST_USE enum guard_rc privileges_keep(const struct privilege *wanted, size_t count,
                                             struct guard_err *err);

#endif
