/* SPDX-License-Identifier: Apache-2.0 */
/* The REST API as its parts see it: a request that was read whole, an answer that is sent whole or
 * as a stream, and what of guardd they work on. Nothing here knows of sockets or of the HTTP
 * library. */
#ifndef GUARDD_API_API_H
#define GUARDD_API_API_H

#include "guardd/intake.h"
#include "guardd/service.h"

#include "common/changes.h"
#include "common/json_writer.h"

#include "access.h"
#include "guardd/log_scan.h"

enum {
    API_BODY_MAX = 256 * 1024,
    API_ANSWER_MAX = 512 * 1024,
    API_PARAMS_MAX = 16,
    API_PAGE = 50,      /* things on a page unless `limit` says how many */
    API_PAGE_MAX = 100, /* at most */
    API_HEADER_MAX = 256,
    API_REPORT_MAX = 4 << 20,   /* bytes of a body to routes of the kind report, */
    API_REPORTS_MAX = 64 << 20, /* and of all that are being read at once */
    API_WAITERS_MAX = 4096,     /* answers that wait for something to happen */
    API_WAIT_MS = 25000,
};

/* How often guardd saved what it learned, or couldn't. */
struct api_saves {
    uint64_t done;
    uint64_t failed;
};

struct admission;
struct outputs;
struct proposals;
struct sessions;

/* What of guardd the API shows and changes. */
struct api_view {
    const char *state;
    const char *token_reviews;  /* the cluster that is asked for tokens of agents; NULL: none */
    uint64_t token_keep_ms;     /* how long what it said counts */
    const char *node_agents;    /* "NAMESPACE/ACCOUNT" whose pods speak for their nodes; NULL */
    const char *access_reviews; /* the cluster whose users may come; NULL: none */
    uint64_t access_keep_ms;    /* how long what it said counts */
    struct services *services;
    uint32_t connections; /* at most; 0: those of people */
    const struct intake *intake;
    const struct alerts *alerts;
    const struct outputs *outputs;
    struct proposals *proposals;
    const bool *save_failed;
    const struct api_saves *saves;
    uint64_t started_ms;
};

/* What it counts of itself. */
struct api_counts {
    uint64_t requests[6]; /* by class of status: [2] for 2xx */
    uint64_t refused;     /* requests that took too long and were cut off */
    uint64_t denied[3];   /* 401, 403, 429 */
    uint64_t checks;      /* of tokens, at a cost */
    uint32_t connections;
    uint32_t streams;
    uint32_t waiters;
    size_t report_bytes; /* of bodies that are being read */
};

struct api {
    struct api_view view;
    struct sessions *sessions;
    const struct admission *admission; /* NULL: there is no server */
    struct api_counts counts;
    bool changed;            /* something was written: guardd looks at once */
    uint64_t diff_free_ms;   /* when the next costly comparison may begin */
    uint64_t tokens_free_ms; /* the same of making a token; monotonic */
};

struct api_param {
    const char *name;
    const char *value;
};

struct api;
struct api_request;
/* An answer that waits. */
struct api_wait {
    /* Whether the handler should be called again; until then only this is. */
    bool (*due)(const struct api *api, const struct api_request *request, uint64_t now_ms);
    uint64_t until_ms; /* Unix time */
    uint64_t ticket;
    uint64_t verdicts;
    uint64_t withdrawals;
    const char *outcome; /* static */
    uint32_t taken, refused;
    const struct service *service;
    bool keeps_body;   /* the handler still needs it */
    uint64_t begun_ms; /* monotonic: when it began to wait */
    uint64_t again_ms; /* monotonic: when it is due at the latest */
    uint64_t turn;     /* among those of whom one waits; 0: none yet */
};

struct api_request {
    const char *method;
    const char *path;
    struct api_param params[API_PARAMS_MAX];
    uint32_t param_count;
    bool params_left_out; /* there were more */
    /* Headers; NULL when absent. */
    const char *if_match;
    const char *if_none_match;
    const char *accept;
    const char *content_type;
    const char *by;
    const char *last_event_id;
    int64_t uid; /* of the peer's process */
    struct api_access access;
    struct guard_span body;
    /* From the path, by the router. */
    char service[SERVICE_NAME_CAP];
    char id[80];
    /* Of a look through a log that takes more than one step. */
    struct log_scan scan;
    struct api_wait wait; /* all zeros at the first call */
    char who[CHANGE_BY_MAX + 1];
    char reason[CHANGE_REASON_MAX + 1]; /* of the change that was made */
};

struct api_response {
    unsigned status;
    const char *content_type;
    char *bytes; /* malloc'd, or static when `constant` */
    size_t len;
    bool constant;
    char etag[80];
    char allow[64];
    unsigned retry_after_s;
    char cookie[160];      /* Set-Cookie */
    const char *challenge; /* WWW-Authenticate; static */
    bool quiet;            /* guardd needn't look at what was written */
    bool file;             /* the body is what stands in file_fd, which is closed then */
    int file_fd;
    bool stream; /* of new alerts: request->scan says from where and which */
};

enum api_step {
    API_DONE,
    API_AGAIN, /* there is more to do: call again, after others had their turn */
    API_LATER, /* call again when request->wait.due says so */
};
typedef enum api_step api_handler(struct api *api, struct api_request *request,
                                  struct api_response *response);

/* The value of a parameter, NULL when absent. */
const char *api_param(const struct api_request *request, const char *name);
/* A number of decimal digits up to max; false after a problem that names the parameter. absent:
 * what it is when it isn't there. */
bool api_param_number(const struct api_request *request, struct api_response *response,
                      const char *name, uint64_t absent, uint64_t max, uint64_t *out);
/* true or false, as above. */
bool api_param_bool(const struct api_request *request, struct api_response *response,
                    const char *name, bool *out);
/* The service of the path; NULL after a problem. */
struct service *api_service(struct api *api, const struct api_request *request,
                            struct api_response *response);

/* Whether the service is of who asks: for lists. That of a path is theirs when a handler is called.
 */
bool api_theirs(const struct api_request *request, const struct service *service);
/* How many are. */
uint32_t api_services_count(const struct api *api, const struct api_request *request);

/* A JSON answer: room for API_ANSWER_MAX bytes, cut to what was written at the end. False after a
 * problem. */
bool api_json_begin(struct json_writer *json, struct api_response *response);
void api_json_end(struct json_writer *json, struct api_response *response, unsigned status);
/* How much room is left. */
size_t api_json_room(const struct json_writer *json);

/* Who it is, for the audit: the entry's name, or at the local door the name that the client says;
 * borrowed from the request. */
struct audit_who api_who(struct api_request *request);
/* Path and what was asked for, without what differs from page to page. That it was of one client is
 * told, not of which: what is kept about clients would grow by it. */
void api_describe_look(const struct api_request *request, char *out, size_t cap);
/* Who changes what and why, for the functions of common/changes.h; borrowed from the request. */
struct change api_change(struct api *api, struct api_request *request, const char *reason);
/* An answer of that status was sent. */
void api_count(struct api_counts *counts, unsigned status);

#endif
