/* SPDX-License-Identifier: Apache-2.0 */
/* The Guardian of a service: the document that people write. This is its form in memory;
 * common/guardian.h reads and writes YAML and JSON. */
#ifndef GUARD_GUARDIAN_H
#define GUARD_GUARDIAN_H

#include <guard/exception.h>
#include <guard/patch.h>
#include <guard/verdict.h>

enum {
    GUARD_GUARDIAN_ENDPOINTS_MAX = 256,
    GUARD_GUARDIAN_FIELDS_MAX = 256,
    GUARD_GUARDIAN_STATUSES_MAX = 64,
};

/* A criterion for one field; what isn't said stays learned. */
struct guard_criterion {
    enum guard_location location;
    struct guard_span name; /* "username", "a.b[].c", "seg1" */
    int32_t required;       /* -1 not said, 0, 1 */
    uint32_t types;         /* allowed; 0 = not said */
    bool classes_said;
    uint64_t classes;          /* allowed when classes_said */
    int64_t length_max;        /* -1 = not said */
    int64_t length_min;        /* -1 = not said */
    int64_t items_max;         /* -1 = not said */
    struct guard_span *values; /* allowed values; count 0 = not said */
    uint32_t value_count;
    bool forbidden; /* the name must not be there */
};

/* All statuses from first to last, each of 100 to 599. */
struct guard_status_range {
    uint16_t first;
    uint16_t last;
};

/* What a response must be; what isn't said stays learned. Content (media types, closed, fields in
 * bodies) is that of 1xx and 2xx; size, leaks, headers and cookies are those of every response. */
struct guard_response_rule {
    const struct guard_status_range *statuses; /* allowed; count 0 = not said */
    uint32_t status_count;
    int64_t body_max; /* bytes, -1 = not said */
    struct guard_span *media_types;
    uint32_t media_count;
    bool closed; /* names in bodies that are neither learned nor in `fields` are violations */
    struct guard_criterion *fields; /* header, cookie, json, body, protobuf, websocket */
    uint32_t field_count;
    uint32_t leaks_allowed;                     /* bit per enum guard_leak: no deviations here */
    uint32_t leaks_forbidden;                   /* bit per enum guard_leak: violations */
    const struct guard_response_rule *failures; /* of 4xx and 5xx, content too; without statuses and
                                                   failures of its own. NULL: nothing is said */
};

struct guard_endpoint_rule {
    struct guard_span template_text; /* "/users/{}"; "/static/{*}" = any rest */
    struct guard_span *methods;      /* count 0: all */
    uint32_t method_count;
    int32_t mode;     /* enum guard_mode, -1 = the service's */
    int64_t body_max; /* -1 = not said */
    struct guard_span *media_types;
    uint32_t media_count;
    bool closed; /* fields not named by learning or here are violations */
    struct guard_criterion *fields;
    uint32_t field_count;
    const struct guard_response_rule *response; /* NULL: nothing is said of what it answers with */
};

/* Whether a responder is asked to replace the pod that alone is misused. */
enum guard_pod_orders {
    GUARD_POD_ORDERS_OFF = 0,
    GUARD_POD_ORDERS_DRY_RUN = 1, /* nothing may be touched */
    GUARD_POD_ORDERS_ACT = 2,     /* where the service blocks */
};

/* Of a service's pods; policies and gates have no part in it. What isn't said stays the default. */
struct guard_pod_settings {
    int32_t orders;       /* enum guard_pod_orders; -1 = not said */
    bool hard_said;       /* hard_kinds hold */
    uint32_t hard_kinds;  /* bit per enum guard_pod_kind that acts alone */
    double alert_at;      /* strength of evidence; below 0 = not said */
    double replace_at;    /* sum of them; below 0 = not said */
    int32_t independence; /* enum guard_pod_independence; -1 = not said */
    /* So long the gate of a pod with an order answers with 503; -1 = not said: it doesn't. */
    int32_t withdraw_seconds;
};

struct guard_guardian {
    struct guard_span service;
    enum guard_mode mode;         /* default alert */
    enum guard_mode request_mode; /* the parts'; default as mode */
    enum guard_mode response_mode;
    enum guard_mode
        time_mode; /* BLOCK cuts a response that is late; default: not more than ALERT */
    enum guard_mode client_mode; /* of how clients behave; default as mode */
    bool learn;                  /* default on */
    double false_alarm_budget;   /* alpha: false blocks per request; default 1e-4 */
    uint32_t support;            /* D; default 4 */
    bool fail_closed; /* default false; the gate's directive is the default, this refines it */
    uint8_t pile_digest[GUARD_DIGEST_BYTES];
    bool pile_named;
    struct guard_endpoint_rule *endpoints; /* configured criteria */
    uint32_t endpoint_count;
    struct guard_criterion *headers; /* and cookies, for the whole service */
    uint32_t header_count;
    const struct guard_response_rule *response; /* of every response, also where no endpoint is;
                                                   endpoints' replace it. NULL: nothing is said */
    struct guard_patch *patches;                /* ids differ */
    uint32_t patch_count;
    struct guard_exception *exceptions; /* ids differ */
    uint32_t exception_count;
    struct guard_pod_settings pods;
};

/* The built-in defaults: alert, learn on, alpha 1e-4, D 4. */
GUARD_API void guard_guardian_default(struct guard_guardian *guardian, struct guard_span service);
/* The mode, and those of the parts that follow from it. */
GUARD_API void guard_guardian_set_mode(struct guard_guardian *guardian, enum guard_mode mode);
/* Slow is no proof: what is late is cut only where a person says so. */
GUARD_API enum guard_mode guard_time_mode_default(enum guard_mode mode);

#endif
