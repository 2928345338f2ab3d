/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities by the system call itself: it is the whole need. */
#include "common/privileges.h"

#include "common/log.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct guard_span no_service = {NULL, 0};

enum { WORD_BITS = 32, LAST_MAX = 63 };

enum guard_rc privileges_keep(const struct privilege *wanted, size_t count, struct guard_err *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3] = {{0}};
    uint32_t keep[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &head, has) != 0)
        return guard_fail(err, GUARD_E_IO, "capabilities can't be read: %s", strerror(errno));
    for (size_t i = 0; i < count; i++) {
        uint32_t bit = 1U << (wanted[i].number % WORD_BITS);
        keep[wanted[i].number / WORD_BITS] |= bit;
        if ((has[wanted[i].number / WORD_BITS].permitted & bit) == 0)
            log_event("warn", "capability-missing", no_service, "%s: %s", wanted[i].name,
                      wanted[i].without);
    }
    for (int number = 0; number <= LAST_MAX; number++)
        if ((keep[number / WORD_BITS] >> (number % WORD_BITS) & 1) == 0)
            (void)prctl(PR_CAPBSET_DROP, number); /* without SETPCAP it is too late anyway */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        has[i].permitted &= keep[i];
        has[i].effective = has[i].permitted;
        has[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &head, has) != 0)
        return guard_fail(err, GUARD_E_IO, "capabilities can't be dropped: %s", strerror(errno));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return guard_fail(err, GUARD_E_IO, "no_new_privs: %s", strerror(errno));
    return GUARD_OK;
}
