/* SPDX-License-Identifier: Apache-2.0 */
/* How sensors hand pod records over to guardd: files in a directory that guardd reads in the order
 * of their names and removes. Nobody waits for anybody; what finds no room is counted as dropped.
 * docs/internals/pod-sensors.md */
#ifndef GUARD_COMMON_PODS_RECORD_FILES_H
#define GUARD_COMMON_PODS_RECORD_FILES_H

#include <guard/pod.h>

enum {
    POD_FILES_MAX = 4096,
    POD_FILES_GATES_MAX = POD_FILES_MAX / 4, /* of these what gates found: clients make it */
    POD_FILE_BYTES_MAX = 8 << 20,            /* that are read */
    POD_FILE_BYTES_FULL = 1 << 20, /* that are written: further records go into the next one */
};

struct pod_files {
    char dir[768];
    uint64_t producer;    /* of the sensor */
    uint64_t incarnation; /* when it started */
    uint64_t sequence;    /* of the last file */
    uint8_t *bytes;       /* of the next one */
    size_t len, capacity;
    uint32_t records;
    uint64_t records_lost; /* since it was opened, whatever lost them */
    bool of_gate; /* set it after opening: its files have a share of their own, and their names say
                     so */
};

/* GUARD_E_IO: no directory, or it can't be written; GUARD_E_LIMIT: its path is too long. producer:
 * stable for the sensor; incarnation: larger at each start. */
GUARD_MUST_USE enum guard_rc pod_files_open(struct pod_files *files, const char *dir,
                                            uint64_t producer, uint64_t incarnation,
                                            struct guard_err *err);
/* Encodes behind what waits; writes first what would get too long by it. A record that isn't taken
 * is counted as lost. GUARD_E_RANGE: no valid record; GUARD_E_NOMEM; failures of writing are
 * pod_files_flush's. */
GUARD_MUST_USE enum guard_rc pod_files_add(struct pod_files *files,
                                           const struct guard_pod_record *record,
                                           struct guard_err *err);
/* Makes a file of what waits, visible as a whole or not at all. On failure the records are gone and
 * counted: GUARD_E_LIMIT: POD_FILES_MAX files lie there unread, or of a gate so many that it would
 * have more than what is left of POD_FILES_GATES_MAX; GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc pod_files_flush(struct pod_files *files, struct guard_err *err);
void pod_files_close(struct pod_files *files);
/* Whether fewer than POD_FILES_MAX files lie in the directory. */
bool pod_files_room(const char *dir);

/* Of a sensor's kind, its node and a container: never 0. */
uint64_t pod_producer(const char *sensor, const char *node, const char *container);

#endif
