/* SPDX-License-Identifier: Apache-2.0 */
/* Real records as if they had been made earlier: pod_replay FOLDER STEPS writes those of the files
 * in FOLDER to standard output, so many half hours back, of pods that had been there for hours. A
 * test has seconds; guardd wants hours of learning. */
#include <guard/pods.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_ROOM = 1 << 20, STEP_MS = 1800000, OLD_MS = 7200000 };

static int fail(const char *text)
{
    fprintf(stderr, "pod_replay: %s\n", text);
    exit(1);
}

static void write_record(struct guard_pod_record record, struct guard_pod_feature *features,
                         uint32_t steps)
{
    static uint8_t bytes[GUARD_POD_RECORD_MAX];
    struct guard_err err;
    size_t len;
    uint64_t shift = (uint64_t)steps * STEP_MS;
    record.origin.producer += steps;
    record.from_ms -= shift;
    record.until_ms -= shift;
    record.started_ms = record.from_ms - OLD_MS;
    for (uint32_t i = 0; i < record.feature_count; i++)
        features[i].first_ms -= features[i].first_ms > shift ? shift : 0;
    if (guard_pod_record_encode(&record, bytes, sizeof(bytes), &len, &err) != GUARD_OK)
        fail(err.text);
    if (fwrite(bytes, 1, len, stdout) != len)
        fail("standard output is full");
}

static void replay(const char *path, uint32_t steps)
{
    static uint8_t bytes[FILE_ROOM];
    static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct guard_pod_record record;
    struct guard_err err;
    FILE *file = fopen(path, "rb");
    size_t len = file != NULL ? fread(bytes, 1, sizeof(bytes), file) : 0, size;
    if (file != NULL)
        fclose(file);
    for (size_t at = 0; at < len; at += size) {
        if (guard_pod_record_size((struct guard_span){bytes + at, len - at}, &size, &err) !=
                GUARD_OK ||
            guard_pod_record_decode(&record, features, (struct guard_span){bytes + at, size},
                                    &err) != GUARD_OK)
            fail(err.text);
        if (record.id.workload.len != 1) /* "-": of a pod that isn't listed */
            write_record(record, features, steps);
    }
}

int main(int argc, char **argv)
{
    struct dirent **names;
    char path[4096];
    if (argc != 3)
        return fail("wants a folder and a number of half hours");
    int count = scandir(argv[1], &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        size_t len = strlen(names[i]->d_name);
        snprintf(path, sizeof(path), "%s/%s", argv[1], names[i]->d_name);
        if (len > 5 && strcmp(names[i]->d_name + len - 5, ".pods") == 0)
            replay(path, (uint32_t)strtoul(argv[2], NULL, 10));
        free(names[i]);
    }
    free(names);
    return 0;
}
