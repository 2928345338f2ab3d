/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that make OpenAPI documents share: the places of an endpoint as a tree, in which
 * what was learned and what people say are one, and what is left out. */
#ifndef GUARD_COMMON_OPENAPI_PARTS_H
#define GUARD_COMMON_OPENAPI_PARTS_H

#include "common/json_writer.h"
#include "common/openapi.h"

enum {
    OPENAPI_SEGMENTS_MAX = 64,
    OPENAPI_KEY_MAX = 1000, /* a key of YAML on a line of its own has at most 1024 */
    OPENAPI_NAME_MAX = 260, /* of a parameter or member, with its NUL */
    OPENAPI_DEPTH_MAX = 64,
};

/* Why something isn't in the document. */
enum openapi_reason {
    OPENAPI_METHOD,     /* OpenAPI knows eight */
    OPENAPI_PATH,       /* a template that no path of OpenAPI is */
    OPENAPI_TEMPLATE,   /* the same template twice */
    OPENAPI_HEADER,     /* OpenAPI ignores parameters of that name */
    OPENAPI_NAME,       /* no text, or shortened */
    OPENAPI_MEDIA_TYPE, /* no name of a media type */
    OPENAPI_DEPTH,      /* members nested deeper than OPENAPI_DEPTH_MAX */
    OPENAPI_FORBIDDEN,  /* people forbid the method */
    OPENAPI_METHODS,    /* people name a path that nobody asked for, and no methods */
    OPENAPI_SIZE,       /* the document is full */
    OPENAPI_REASONS,
};

/* What is known of the values at one place. */
struct openapi_facts {
    uint32_t types;     /* bit per enum guard_type; 0: nothing is known */
    uint64_t classes;   /* bit per enum guard_class, when classes_known */
    int64_t length_min; /* bytes; -1: not known */
    int64_t length_max;
    int64_t items_max;
    const struct guard_span *values; /* that people allow; count 0: not said */
    uint32_t value_count;
    uint32_t closed; /* how many values there are, 0: any number. They are keyed hashes */
    bool classes_known;
    bool required;
    bool forbidden;
    bool pending;
};

struct openapi_node {
    enum guard_location location;
    struct guard_span name; /* its own */
    struct guard_span path; /* "a.b[].c" */
    struct openapi_facts facts;
    uint32_t parent; /* all: index in the tree, or GUARD_NO_INDEX */
    uint32_t first;
    uint32_t last;
    uint32_t next;
    bool inherited; /* of a response: as the service has it */
};

struct openapi_tree {
    struct openapi_node *nodes;
    uint32_t count;
    uint32_t cap;
    bool closed; /* people say that there are no other names */
};

struct openapi_segment {
    struct guard_span text;
    enum openapi_segment_kind { OPENAPI_LITERAL, OPENAPI_TYPED, OPENAPI_ANY, OPENAPI_REST } kind;
    uint32_t types; /* bit per enum guard_type when TYPED */
};

struct openapi_template {
    struct openapi_segment segments[OPENAPI_SEGMENTS_MAX];
    uint32_t count;
};

/* A rule of the Guardian; the least specific first. */
struct openapi_rule {
    const struct guard_endpoint_rule *rule;
    struct openapi_template template;
    uint32_t weight;
};

struct openapi {
    const struct openapi_cfg *cfg;
    const struct guard_model *model;
    struct guard_arena *arena;
    struct json_writer json;
    struct openapi_rule *rules;
    uint32_t rule_count;
    struct openapi_tree service;    /* headers and cookies of all requests */
    struct openapi_tree answers[6]; /* of all responses, by class of status */
    uint32_t left_out[OPENAPI_REASONS];
    bool without_common; /* it didn't fit */
    uint32_t notes;
    uint32_t pending;     /* things without support that were left out, or are in and marked */
    uint32_t closed_sets; /* whose values can't be told */
};

/* What a response must be by the Guardian: of an endpoint first, then of the service. */
struct openapi_said {
    const struct guard_response_rule *rules[2];
    uint32_t count;
};

/* Counts and tells. format: what it is. */
void openapi_leave_out(struct openapi *ctx, enum openapi_reason reason, const char *format, ...)
    GUARD_PRINTF(3, 4);
/* As a NUL-terminated text; false when it can't be one: not UTF-8, a NUL in it, too long. */
bool openapi_name(char out[OPENAPI_NAME_MAX], struct guard_span name);
/* A name that was cut to a head and a hash: the true one isn't known. */
bool openapi_shortened(struct guard_span name);
bool openapi_same(struct guard_span a, struct guard_span b);
bool openapi_is(struct guard_span span, const char *text);
/* Both cleaned for a terminal. */
const char *openapi_clean(char out[OPENAPI_NAME_MAX], struct guard_span text);

/* Closes x-guard that was opened at before->len; an empty one isn't written at all. */
void openapi_close_guard(struct openapi *ctx, const struct json_writer *before);

/* --- openapi_tree.c --- */
/* The fields of the model's range as far as they are told. GUARD_E_NOMEM, GUARD_E_RANGE. */
GUARD_MUST_USE enum guard_rc openapi_tree_learned(struct openapi *ctx, struct openapi_tree *tree,
                                                  uint32_t first, uint32_t count,
                                                  struct guard_err *err);
/* What people say of places of these locations (bits) replaces it or is added. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc openapi_tree_said(struct openapi *ctx, struct openapi_tree *tree,
                                               const struct guard_criterion *criteria,
                                               uint32_t count, uint32_t locations,
                                               struct guard_err *err);
/* NULL when there is none. */
const struct openapi_node *openapi_tree_find(const struct openapi_tree *tree,
                                             enum guard_location location, struct guard_span path);
bool openapi_tree_has(const struct openapi_tree *tree, enum guard_location location);
/* All of it is inherited until people say something else. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc openapi_tree_copy(struct openapi *ctx, struct openapi_tree *tree,
                                               const struct openapi_tree *from,
                                               struct guard_err *err);

/* --- openapi_schema.c --- */
/* Of a value that is text in its message: query, path, header, cookie, form. array: may repeat. */
void openapi_text_schema(struct openapi *ctx, const char *name, const struct openapi_facts *facts,
                         bool array);
/* Of JSON documents. */
void openapi_json_schema(struct openapi *ctx, const struct openapi_tree *tree);

/* --- openapi_template.c --- */
/* Of a node of the model. False when it has too many segments. */
bool openapi_template_learned(const struct guard_model *model, uint32_t node,
                              struct openapi_template *out);
/* "/users/{seg1}"; false when OpenAPI has no such path. */
bool openapi_template_key(const struct openapi_template *template, char out[OPENAPI_KEY_MAX + 1]);
/* Reads and orders the Guardian's rules. */
GUARD_MUST_USE enum guard_rc openapi_rules(struct openapi *ctx, struct guard_err *err);
bool openapi_rule_covers(const struct openapi_rule *rule, const struct openapi_template *template);
bool openapi_rule_has_method(const struct openapi_rule *rule, struct guard_span method);
/* The most specific rules of the template name methods, and not this one. */
bool openapi_rules_forbid(const struct openapi *ctx, const struct openapi_template *template,
                          struct guard_span method);

/* --- openapi_body.c --- */
/* "content" of a body with these media types. */
void openapi_content(struct openapi *ctx, const struct openapi_tree *tree,
                     const struct guard_span *media_types, uint32_t media_count);
/* Whether something of a body is known. */
bool openapi_tree_body(const struct openapi_tree *tree);
bool openapi_body_required(const struct openapi_tree *tree);
/* Members of x-guard for what OpenAPI has no words for: GraphQL, protobuf, WebSocket, what is
 * forbidden. */
void openapi_foreign(struct openapi *ctx, const struct openapi_tree *tree);

/* --- openapi_answer.c --- */
/* "responses" of an endpoint; index GUARD_NO_INDEX: nothing was learned. said: see openapi_said. */
GUARD_MUST_USE enum guard_rc openapi_answers(struct openapi *ctx, uint32_t index,
                                             const struct openapi_said *said,
                                             struct guard_err *err);
/* Reads what all responses have in common. */
GUARD_MUST_USE enum guard_rc openapi_common_answers(struct openapi *ctx, struct guard_err *err);
/* components/headers and components/responses. */
void openapi_common_headers(struct openapi *ctx);
GUARD_MUST_USE enum guard_rc openapi_common_failures(struct openapi *ctx, struct guard_err *err);

/* --- openapi_operation.c --- */
struct openapi_operation {
    const char *key; /* "/users/{seg1}" */
    const struct openapi_template *template;
    uint32_t method; /* index of openapi_methods */
    uint32_t index;  /* of the model's endpoint; GUARD_NO_INDEX: only people speak of it */
};
enum { OPENAPI_METHODS_KNOWN = 8 };
extern const char *const openapi_methods[OPENAPI_METHODS_KNOWN]; /* "get", ... */
/* "get": {...} */
GUARD_MUST_USE enum guard_rc openapi_operation(struct openapi *ctx,
                                               const struct openapi_operation *operation,
                                               struct guard_err *err);
/* "parameters" of each path: the service's headers and cookies. */
void openapi_common_references(struct openapi *ctx);
/* components/parameters. */
void openapi_common_parameters(struct openapi *ctx);
/* The name of a component: "header." and the name, of which only letters, digits, '.' and '-' stay
 * as they are. */
void openapi_component(char out[4 * OPENAPI_NAME_MAX], const char *kind, const char *name);

#endif
