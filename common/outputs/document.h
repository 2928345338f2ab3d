/* SPDX-License-Identifier: Apache-2.0 */
/* outputs.yaml: where guardd sends alerts besides its own log, in which form, and which of them.
 * Bounded, and refused as a whole with file:line:column and the member when anything is wrong.
 * docs/guide/alerting.md */
#ifndef GUARD_COMMON_OUTPUTS_DOCUMENT_H
#define GUARD_COMMON_OUTPUTS_DOCUMENT_H

#include "common/state.h"

enum {
    OUTPUTS_MAX = 16,
    OUTPUT_NAME_MAX = 32,
    OUTPUT_TEXT_MAX = 512,
    OUTPUT_SERVICES_MAX = 32,
    OUTPUT_BATCH_MAX = 500,
    OUTPUT_MIB_MAX = 1024,
    OUTPUT_FOLD_MIN_S = 1,
    OUTPUT_FOLD_MAX_S = 3600,
};

enum output_kind { OUTPUT_FILE, OUTPUT_WEBHOOK, OUTPUT_ALERTMANAGER, OUTPUT_SYSLOG, OUTPUT_KINDS };
enum output_form { OUTPUT_OF_GUARD, OUTPUT_OF_ECS };
/* Bits of the actions of gates. */
enum output_action { OUTPUT_PASS = 1, OUTPUT_ALERT = 2, OUTPUT_BLOCK = 4 };

struct output_cfg {
    char name[OUTPUT_NAME_MAX + 1];
    enum output_kind kind;
    enum output_form form;
    /* A file's path; "udp://", "tcp://" with an address and a port, "unix:PATH"; a server as
     * http_client_cfg has it. */
    char target[OUTPUT_TEXT_MAX + 1];
    char path[OUTPUT_TEXT_MAX + 1]; /* of the URL */
    char secret_file[OUTPUT_TEXT_MAX + 1];
    char token_file[OUTPUT_TEXT_MAX + 1];
    char ca_file[OUTPUT_TEXT_MAX + 1];
    uint32_t batch;    /* alerts in one request, at most */
    uint32_t facility; /* of syslog */
    uint32_t max_mib;  /* of a file, then it is renamed */
    char services[OUTPUT_SERVICES_MAX][STATE_SERVICE_MAX + 1];
    uint32_t service_count; /* 0: all */
    uint32_t actions;       /* bits; all of them unless something else is said */
    double least_score;
};

struct outputs_document {
    uint32_t count;
    uint32_t fold_s; /* how often repetitions are told */
    struct output_cfg list[OUTPUTS_MAX];
};

const char *output_kind_name(enum output_kind kind);
const char *output_form_name(enum output_form form);
/* Everything is copied; the arena (4 MiB suffice) is needed for the call. name: for messages.
 * GUARD_E_SYNTAX, GUARD_E_RANGE, GUARD_E_LIMIT, GUARD_E_VERSION, GUARD_E_NOMEM; then *out is
 * unusable. */
GUARD_MUST_USE enum guard_rc outputs_parse(struct outputs_document *out, const char *name,
                                           struct guard_span bytes, struct guard_arena *arena,
                                           struct guard_err *err);
/* STATE/outputs.yaml; without one there are no outputs. Also GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc outputs_load(struct outputs_document *out, const char *path,
                                          struct guard_err *err);

#endif
