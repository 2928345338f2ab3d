/* SPDX-License-Identifier: Apache-2.0 */
/* What a control group uses: processor, memory and how long its tasks stalled, by either version's
 * files. */
#ifndef GUARDD_PODS_SENSE_USAGE_H
#define GUARDD_PODS_SENSE_USAGE_H

#include <guard/pod.h>

/* Since the group was made, memory as of now. */
struct sense_usage {
    uint32_t known; /* bit per enum guard_pod_rate */
    uint64_t cpu_us, memory_bytes, pressure_us;
};

/* What the files in dir say; what isn't there isn't known. */
void sense_usage_read(struct sense_usage *out, const char *dir);

#endif
