/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a running guardd by its API instead of its files: over its Unix socket, or over HTTPS
 * through what stands in front of it. One connection for the whole run of the command. */
#ifndef GUARD_CLI_REMOTE_H
#define GUARD_CLI_REMOTE_H

#include "command.h"

#include "common/document_members.h"
#include "common/http_client.h"
#include "common/json_writer.h"

/* The options of each command that can ask a server, in this order. */
enum {
    REMOTE_SERVER,
    REMOTE_CONTEXT,
    REMOTE_TOKEN_FILE,
    REMOTE_CA,
    REMOTE_CERT,
    REMOTE_KEY,
    REMOTE_INSECURE,
    REMOTE_OPTIONS_COUNT
};
#define REMOTE_OPTIONS                                                                             \
    {"server", "URL", "ask guardd by its API: unix:PATH or https://HOST[:PORT][/PREFIX]"},         \
        {"context", "NAME", "the server that `guard context add` named so"},                       \
        {"token-file", "FILE", "server: who asks, by a token that nobody else may read"},          \
        {"ca", "FILE", "server: who signs its certificate (default: the system's)"},               \
        {"cert", "FILE", "server: the own certificate"},                                           \
        {"key", "FILE", "server: its key, that nobody else may read"},                             \
    {                                                                                              \
        "insecure-http", NULL, "server: http:// also to other hosts, for all to read"              \
    }

struct remote {
    const char *server;        /* for messages; NULL: files are meant */
    struct guard_arena *arena; /* for answers */
};

/* What the options, contexts and variables say, see docs/guide/remote.md. first: the index of
 * --server among the command's options; state: that of --state. False after a message: wrong use.
 */
bool remote_open(struct remote *out, const struct arguments *arguments, int state, int first,
                 struct guard_arena *arena);

/* For what works on files only, state being what --state says: whether files are meant. False after
 * a message. */
bool remote_files_only(const char *state);

/* A JSON body being written; closed by remote_ask. */
struct remote_body {
    struct json_writer json;
    char text[16384];
};
void remote_body(struct remote_body *body);

/* Sends a request below /api/v1 and parses the answer's JSON into the arena; body may be NULL.
 * False after a message: nobody answers, or the problem that guardd tells. text (may be NULL): the
 * answer as it came, in the arena. */
bool remote_ask(const struct remote *remote, const char *method, const char *path,
                struct remote_body *body, struct document *out, struct guard_span *text);
/* The same of "/services/SERVICE" and what follows it. */
bool remote_service(const struct remote *remote, const char *method, struct guard_span service,
                    const char *rest, struct remote_body *body, struct document *out);

struct remote_request {
    const char *method;
    const char *path;         /* below /api/v1 */
    const char *type;         /* what the answer must be, as "application/json" */
    const char *content_type; /* of the body */
    const char *condition;    /* a header, as "If-Match: ..."; NULL: none */
    struct guard_span body;   /* ptr NULL: none */
    size_t answer_max;
    bool may_lack; /* a 404 isn't a failure */
};
struct remote_reply {
    unsigned status;
    uint8_t *bytes; /* malloc'd, with a NUL behind; the caller frees. NULL for none */
    size_t len;
    char etag[HTTP_ETAG_CAP];
};
/* Whatever is below /api/v1. Busy servers are asked again for a while when it is a GET. False after
 * a message. */
bool remote_fetch(const struct remote *remote, const struct remote_request *request,
                  struct remote_reply *reply);

/* Whether it can serve now, for who leads others there: asked once. False after a message. */
bool remote_is_ready(const struct remote *remote);

/* How an endless answer ended. */
enum remote_end {
    REMOTE_LOST,    /* the connection: it can be asked again */
    REMOTE_REFUSED, /* after a message */
    REMOTE_ENOUGH,  /* part said so */
};
/* GETs an answer that doesn't end; part as in http_request. last_id: "" or what the last event was
 * called. quiet: what passes by itself isn't told. */
enum remote_end remote_stream(const struct remote *remote, const char *path, const char *last_id,
                              bool quiet, bool (*part)(void *ctx, struct guard_span piece),
                              void *ctx);

/* As a part of a path or a query. False when it doesn't fit. */
bool remote_escape(char *out, size_t cap, const char *text);

#endif
