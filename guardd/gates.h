/* SPDX-License-Identifier: Apache-2.0 */
/* What the gates beside guardd tell of themselves: rings/<id>.counts, each written by a worker of
 * the gate every few seconds. Hostile input, as rings are. */
#ifndef GUARDD_GATES_H
#define GUARDD_GATES_H

#include "service.h"

enum {
    GATES_MAX = 64,
    GATES_BYTES_MAX = 8 << 20, /* of all files that are read */
    GATE_ID_CAP = 17,
    GATE_SILENT_MS = 60000,     /* then it is gone */
    GATE_DROPPED_MS = 86400000, /* then its file is */
    GATE_NUMBERS_MAX = 64,
    GATE_TIMED_EACH = 16, /* of so many exchanges a gate times one */
};

/* Names of the numbers that are taken from a report; others in it are left alone. */
extern const char *const gate_number_names[];
extern const uint32_t gate_number_count;

struct gate_told {
    const struct service *service;
    enum guard_mode mode;
    bool has_policy;
    uint64_t numbers[GATE_NUMBERS_MAX]; /* in the order of the names */
};

struct gate_report {
    char id[GATE_ID_CAP];
    uint64_t time_ms; /* Unix time; when it was written */
    uint64_t running; /* workers */
    uint64_t leaving;
    bool rings_failed;
    struct gate_told *list; /* each service that is known once */
    uint32_t count;
};

struct gates {
    struct gate_report list[GATES_MAX];
    uint32_t count;
};

/* The place of a number's name; gate_number_count when it is none. */
uint32_t gate_number(const char *name);
/* Reads what gates that live have told. What can't be read is left out. The caller calls
 * gates_free. */
void gates_read(struct gates *out, const char *state, const struct services *services,
                uint64_t now_ms);
void gates_free(struct gates *gates);
/* Removes files of gates that are long gone. */
void gates_drop_old(const char *state, uint64_t now_ms);

#endif
