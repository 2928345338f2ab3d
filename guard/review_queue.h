/* SPDX-License-Identifier: Apache-2.0 */
/* What `guard review` works on: one service's waiting things, what people decided of them, and what
 * was reported lately where they are. */
#ifndef GUARD_CLI_REVIEW_QUEUE_H
#define GUARD_CLI_REVIEW_QUEUE_H

#include "triage.h"

#include "common/review_text.h"

#include <guard/model.h>

enum {
    REVIEW_ALERTS_MAX = 4096,
    REVIEW_SLOTS = 8192,
    REVIEW_SHOWN_MAX = 256,
    REVIEW_PLACES_MAX = 64
};

struct review_service {
    const char *dir;
    char name_text[STATE_SERVICE_MAX + 1];
    struct guard_span name;
    struct guard_guardian guardian;
    struct review_document document;
    struct guard_model *model; /* NULL: nothing is learned yet */
    uint32_t held_from; /* of the model's waiting things, those that are held back as too much */
    struct guard_arena arena;
};

/* False after a message; review_close in any case. */
bool review_open(struct review_service *service, const char *dir, const char *name);
void review_close(struct review_service *service);

/* Adds what guardd holds back as too much at once to what waits. False after a message. */
bool review_add_held(struct review_service *service);

/* What was reported at one place by one rule. Texts are those of the log: not clean. */
struct review_report {
    uint64_t key;
    char service[STATE_SERVICE_MAX + 1];
    char method[32];
    char path[512];
    char part[16];
    char location[16];
    char name[512];
    char rule[24];
    char observed[96];
    char explanation[512];
    char id[TRIAGE_ID_MAX + 1]; /* of the last */
    const char *state;          /* what people said of it: "true", "false", "rare"; NULL: nothing */
    uint64_t reported;
    uint64_t blocked; /* of these */
    double last_ms;
    bool shown; /* with a thing that waits */
};

struct review_reports {
    struct review_report *list;
    uint32_t count;
    uint64_t left_out;            /* places that there was no room for */
    uint32_t slots[REVIEW_SLOTS]; /* index + 1 by key, while the log is read */
};

/* From all alerts that are kept, or from the one of that id (NULL: all). False after a message;
 * review_reports_free in any case. */
bool review_reports_read(struct review_reports *reports, const char *dir, const char *id);
void review_reports_free(struct review_reports *reports);

struct review_sum {
    uint64_t reported;
    uint64_t blocked;
    double last_ms;
    const char *state; /* the last word on any of them */
};
/* Whether it tells of the element. */
bool review_report_tells(const struct review_report *report, const struct review_service *service,
                         const struct guard_review_element *element);
/* Adds up what was reported of the element, and marks it as shown. */
struct review_sum review_reports_of(struct review_reports *reports,
                                    const struct review_service *service,
                                    const struct guard_review_element *element);

/* Prints all of one service. Returns how many things it showed. */
uint32_t review_print_text(const struct review_service *service, struct review_reports *reports,
                           uint32_t room);
uint32_t review_print_json(const struct review_service *service, struct review_reports *reports,
                           uint32_t room);

#endif
