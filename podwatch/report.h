/* SPDX-License-Identifier: Apache-2.0 */
/* From events to records: gathers what each container does, and closes the books of an interval. */
#ifndef PODWATCH_REPORT_H
#define PODWATCH_REPORT_H

#include "containers.h"
#include "programs.h"

#include "common/pods/pace.h"
#include "common/pods/record_files.h"

struct pod_list;

struct report {
    struct containers containers;
    struct programs *programs;
    struct pod_files *files;
    const struct pod_list *pods; /* NULL: none; who is who */
    bool named_by_list;          /* somebody keeps one: what has no name yet waits for it a while */
    bool closing;                /* nothing waits any more */
    const char *node;
    int64_t real_offset_ns; /* from the clock since boot to Unix time */
    uint64_t received[EVENT_KINDS];
    uint64_t lost;            /* that the kernel sent and didn't come: must stay 0 */
    uint64_t unbalanced;      /* that the kernel counted and says nothing more of: must stay 0 */
    uint64_t unkept;          /* features that found no room; their records say so */
    uint64_t answers_refused; /* of DNS, that say nothing that could be read */
    uint64_t records;
    struct pod_pace pace, news_pace;
    bool urgent;  /* a container's hard sign waits for a record */
    bool news;    /* something that a container never did before does */
    bool failing; /* records couldn't be written the last time */
};

/* A programs_handler with the report as ctx. */
void report_event(void *report, const struct event *event);
/* A record and a file at once for hard signs among what was read; in a flood of them, together.
 * Within a second one of what containers never did before, which their next record tells again with
 * all that came of it. */
void report_urgent(struct report *report);
/* The interval's end: a record for each container that lives or did something; a new epoch. */
void report_interval(struct report *report);
/* Follows changes of the clock. */
void report_set_clock(struct report *report);
void report_free(struct report *report);

#endif
