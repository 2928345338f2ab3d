/* SPDX-License-Identifier: Apache-2.0 */
/* Small files of cgroups, read whole. */
#include "sense_usage.h"

#include "common/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_CAP = 1024, FILE_MAX = 64 * 1024 };

/* The number behind the first such word; a file that is only a number has none before it. */
static bool number_of(const char *dir, const char *file, const char *word, uint64_t *out)
{
    char path[PATH_CAP];
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    int path_len = snprintf(path, sizeof(path), "%s/%s", dir, file);
    if (path_len < 0 || (size_t)path_len >= sizeof(path) ||
        file_read(path, FILE_MAX, &bytes, &len, &err) != GUARD_OK)
        return false;
    const char *at = strstr((const char *)bytes, word);
    char *end = NULL;
    if (at != NULL) {
        at += strlen(word);
        *out = strtoull(at, &end, 10);
    }
    bool found = at != NULL && end != at;
    free(bytes);
    return found;
}

void sense_usage_read(struct sense_usage *out, const char *dir)
{
    uint64_t number = 0;
    *out = (struct sense_usage){0};
    if (number_of(dir, "cpu.stat", "usage_usec ", &out->cpu_us)) {
        out->known |= 1U << GUARD_POD_CPU_US;
    } else if (number_of(dir, "cpuacct.usage", "", &number)) {
        out->cpu_us = number / 1000;
        out->known |= 1U << GUARD_POD_CPU_US;
    }
    if (number_of(dir, "memory.current", "", &out->memory_bytes) ||
        number_of(dir, "memory.usage_in_bytes", "", &out->memory_bytes))
        out->known |= 1U << GUARD_POD_MEMORY_BYTES;
    bool of_cpu = number_of(dir, "cpu.pressure", "total=", &number);
    out->pressure_us = of_cpu ? number : 0;
    bool of_memory = number_of(dir, "memory.pressure", "total=", &number);
    out->pressure_us += of_memory ? number : 0;
    if (of_cpu || of_memory)
        out->known |= 1U << GUARD_POD_PRESSURE_US;
}
