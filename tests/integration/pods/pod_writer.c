/* SPDX-License-Identifier: Apache-2.0 */
/* Pod records of the service that is named ("shop") on standard output, one behind the other, of
 * lines on standard input:
 *   REPLICA SEQUENCE UNTIL_MS gate|sidecar|thief|podwatch [KIND TEXT DETAIL REQUEST]...
 * (thief: with the number of replica 2's sensor) with tabs between, "-" for what is empty. TEXT of
 * a destination is ADDRESS:PORT, by TCP.
 * With a folder behind the service each record is a file there instead, as a sensor of that replica
 * writes them: beside, then renamed; "-" is none. With a word behind that it is the uid of all
 * pods.
 */
#include "unit/pods/sample.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FEATURES_MAX = 8, LINE_ROOM = 4096, PATH_ROOM = 1024 };

static struct guard_span word(char **rest)
{
    char *text = strsep(rest, "\t\n");
    return text == NULL || strcmp(text, "-") == 0 ? (struct guard_span){NULL, 0}
                                                  : sample_span(text);
}

static void make_destination(struct guard_pod_feature *feature)
{
    unsigned part[4], port;
    char text[64];
    snprintf(text, sizeof(text), "%.*s", (int)feature->text.len, (const char *)feature->text.ptr);
    if (sscanf(text, "%u.%u.%u.%u:%u", &part[0], &part[1], &part[2], &part[3], &port) != 5)
        return;
    for (int i = 0; i < 4; i++)
        feature->address[i] = (uint8_t)part[i];
    feature->address_len = 4;
    feature->port = (uint16_t)port;
    feature->transport = 6;
    feature->text = (struct guard_span){NULL, 0};
}

static int fail(const char *text)
{
    fprintf(stderr, "pod_writer: %s\n", text);
    return 1;
}

static bool write_file(const char *folder, const struct guard_pod_record *record,
                       const uint8_t *bytes, size_t len)
{
    char path[PATH_ROOM], temporary[PATH_ROOM];
    snprintf(path, sizeof(path), "%s/%016llx-%016d-%020llu.pods", folder,
             (unsigned long long)record->origin.producer, 1,
             (unsigned long long)record->origin.sequence);
    snprintf(temporary, sizeof(temporary), "%s/%016llx.tmp", folder,
             (unsigned long long)record->origin.producer);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    return fd >= 0 && write(fd, bytes, len) == (ssize_t)len && close(fd) == 0 &&
           rename(temporary, path) == 0;
}

int main(int argc, char **argv)
{
    const char *folder = argc > 2 && strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
    static uint8_t bytes[GUARD_POD_RECORD_MAX];
    char line[LINE_ROOM];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct guard_pod_feature features[FEATURES_MAX];
        struct guard_err err;
        char pod[32], uid[32];
        size_t len;
        char *rest = line;
        uint32_t replica = (uint32_t)strtoul(strsep(&rest, "\t\n"), NULL, 10);
        uint64_t sequence = strtoull(strsep(&rest, "\t\n"), NULL, 10);
        uint64_t until_ms = strtoull(strsep(&rest, "\t\n"), NULL, 10);
        struct guard_pod_record record = sample_record(pod, replica, sequence, until_ms);
        snprintf(uid, sizeof(uid), "5f1c-%u", replica);
        record.id.uid = sample_span(uid);
        if (argc > 1)
            record.id.service = sample_span(argv[1]);
        if (argc > 3)
            record.id.uid = sample_span(argv[3]);
        const char *source = strsep(&rest, "\t\n");
        if (strcmp(source, "gate") == 0) {
            record.source = GUARD_POD_GATE;
            record.origin.producer += 1000;
        } else if (strcmp(source, "sidecar") == 0) {
            record.source = GUARD_POD_SIDECAR;
            record.origin.producer += 2000;
            record.blind = ((1U << GUARD_POD_KINDS) - 1) &
                           ~(1U << GUARD_POD_DESTINATION | 1U << GUARD_POD_LISTEN);
        }
        if (strcmp(source, "thief") == 0)
            record.origin.producer = 100 + 2;
        while (rest != NULL && *rest != '\0' && record.feature_count < FEATURES_MAX) {
            unsigned long kind = strtoul(strsep(&rest, "\t\n"), NULL, 10);
            struct guard_pod_feature *feature = &features[record.feature_count++];
            *feature = (struct guard_pod_feature){
                .kind = (enum guard_pod_kind)kind, .count = 1, .first_ms = until_ms - 5000};
            feature->text = word(&rest);
            feature->detail = word(&rest);
            feature->request = word(&rest);
            if (feature->kind == GUARD_POD_DESTINATION)
                make_destination(feature);
        }
        record.features = features;
        if (guard_pod_record_encode(&record, bytes, sizeof(bytes), &len, &err) != GUARD_OK)
            return fail(err.text);
        if (folder != NULL && !write_file(folder, &record, bytes, len))
            return fail("a file can't be written");
        if (folder == NULL && fwrite(bytes, 1, len, stdout) != len)
            return fail("standard output is full");
    }
    return 0;
}
