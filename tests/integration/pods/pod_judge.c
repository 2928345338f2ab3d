/* SPDX-License-Identifier: Apache-2.0 */
/* What libguard says of real records: pod_judge BENIGN LATER. Each record of the files in BENIGN is
 * learned as often as it takes for hours of learning, as if it had been seen every half hour
 * before; then those of LATER are judged as they are. Prints the verdicts: decision, pod, exchange,
 * and kind, text and sign of each piece of evidence, with tabs between. */
#include <guard/pods.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPEATS = 8, FILES_MAX = 512, FILE_ROOM = 1 << 20, STEP_MS = 1800000, OLD_MS = 7200000 };

static struct guard_pods *pods;
static struct guard_pod_rules rules;

static void *get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static int fail(const char *text)
{
    fprintf(stderr, "pod_judge: %s\n", text);
    exit(1);
}

static void print(const struct guard_pod_verdict *verdict)
{
    printf("%s\t%.*s\t%s", guard_pod_decision_name(verdict->decision), (int)verdict->pod.len,
           (const char *)verdict->pod.ptr, verdict->request[0] != '\0' ? verdict->request : "-");
    for (uint32_t i = 0; i < verdict->count; i++)
        printf("\t%u\t%s\t%d", verdict->evidence[i].kind, verdict->evidence[i].text,
               verdict->evidence[i].hard);
    printf("\n");
}

static void open_profile(const struct guard_pod_record *record)
{
    struct guard_err err;
    const struct guard_pods_cfg cfg = {.alloc = {NULL, get, put},
                                       .name_space = record->id.name_space,
                                       .workload = record->id.workload,
                                       .container = record->id.container};
    if (pods == NULL && guard_pods_new(&pods, &cfg, &err) != GUARD_OK)
        fail(err.text);
}

/* back: how many steps before the record was made. */
static void observe(struct guard_pod_record record, struct guard_pod_feature *features,
                    uint32_t back)
{
    static struct guard_pod_verdict verdict;
    struct guard_err err;
    uint64_t shift = (uint64_t)back * STEP_MS;
    record.origin.producer += back;
    record.from_ms -= shift;
    record.until_ms -= shift;
    /* Its first minute is over: it has been there for hours. */
    record.started_ms = record.from_ms - OLD_MS;
    for (uint32_t i = 0; i < record.feature_count; i++)
        features[i].first_ms -= features[i].first_ms > shift ? shift : 0;
    open_profile(&record);
    if (guard_pods_observe(pods, &rules, &record, &verdict, &err) != GUARD_OK)
        fail(err.text);
    if (back == 0 && verdict.decision != GUARD_POD_NORMAL)
        print(&verdict);
}

static void read_file(const char *path, uint32_t back)
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
            observe(record, features, back);
    }
}

static void read_folder(const char *folder, uint32_t back)
{
    struct dirent **names;
    char path[4096];
    int count = scandir(folder, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        size_t len = strlen(names[i]->d_name);
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        if (len > 5 && strcmp(names[i]->d_name + len - 5, ".pods") == 0)
            read_file(path, back);
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return fail("wants two folders");
    guard_pod_rules_default(&rules);
    for (uint32_t back = REPEATS; back > 0; back--)
        read_folder(argv[1], back);
    read_folder(argv[2], 0);
    guard_pods_free(pods);
    return 0;
}
