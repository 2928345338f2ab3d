/* SPDX-License-Identifier: Apache-2.0 */
/* Many nodes lose a parent at the same moment: what they wait is by chance, or all would come back
 * at the same moment, too. */
#include "guardd/tree/pause.h"

#include "common/file.h"

enum { PAUSE_FIRST_MS = 250, PAUSE_MAX_MS = 30000 };

uint64_t uplink_jitter(uint64_t ms)
{
    uint64_t number = 0;
    if (random_bytes(&number, sizeof(number)) != GUARD_OK)
        number = clock_unix_ms();
    return ms / 2 + number % (ms / 2 + 1);
}

uint64_t uplink_pause(uint32_t failures, uint32_t retry_after_s)
{
    uint64_t ms = PAUSE_FIRST_MS;
    for (uint32_t i = 1; i < failures && ms < PAUSE_MAX_MS; i++)
        ms *= 2;
    ms = uplink_jitter(ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS);
    /* Never before it asked for, and not all at that very moment. */
    uint64_t asked = (uint64_t)retry_after_s * 1000;
    return asked > 0 ? asked + uplink_jitter(asked < 1000 ? 1000 : asked) / 2 + ms / 4 : ms;
}
