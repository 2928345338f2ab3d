/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests of a program that has a loop of its own and waits for nobody: they are begun, run
 * on when a descriptor says so, and end in a call. Over a Unix socket, HTTP or HTTPS, to the
 * client's server or one that a request names; no redirects, no proxies, nothing of the
 * environment.
 */
#ifndef GUARD_COMMON_HTTP_CLIENT_H
#define GUARD_COMMON_HTTP_CLIENT_H

#include <guard/types.h>

enum {
    HTTP_REQUESTS_MAX = 512, /* under way at once */
    HTTP_HEADERS_MAX = 4,
    HTTP_ETAG_CAP = 96,
    HTTP_TYPE_CAP = 96,
    HTTP_TOKEN_MAX = 16 * 1024, /* those of Kubernetes have more than 1,000 bytes */
};

struct http_client;

struct http_client_cfg {
    /* "unix:PATH", "http://HOST[:PORT]" or "https://HOST[:PORT]"; copied. */
    const char *server;
    const char *token_file; /* NULL: none. Read again for each request, so that it may change */
    const char *ca_file;    /* no others are trusted; NULL: those that the system trusts */
    const char *token;      /* instead of a file; NULL: none; copied, overwritten at the end */
    /* This side's certificate and its key (PEM); NULL: none; copied. */
    const char *certificate_file, *key_file;
    /* The same as PEM texts instead of files; empty: none; copied, the key overwritten at the end.
     */
    struct guard_span ca_text, certificate_text, key_text;
    const char *agent; /* what it calls itself; NULL: "guardd"; kept by the caller */
    /* Certificates aren't verified: only for requests that hold nothing secret, of whose answers
     * nothing is believed that isn't proved otherwise. */
    bool unverified;
};

struct http_answer {
    unsigned status;          /* 0: there was none */
    const char *failure;      /* why; "" otherwise */
    struct guard_span body;   /* until the call returns */
    const char *etag;         /* "" when absent */
    const char *content_type; /* likewise */
    uint32_t retry_after_s;   /* 0 when absent */
    bool too_long;            /* there was one, longer than answer_max; status is 0 */
};

struct http_request {
    const char *method;
    /* Another one, by TCP, instead of the client's, which then has no token; copied. */
    const char *server;
    const char *path;                      /* with its query, from '/' on; copied */
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value", NULL behind the last; copied */
    struct guard_span body;                /* copied */
    size_t answer_max;                     /* bytes of a body; a longer one is a failure */
    uint32_t timeout_ms;                   /* of the whole */
    bool alone;                            /* by a connection of its own, which isn't kept */
    bool revocable;                        /* ended by http_client_revoke */
    /* NULL, or for an answer that doesn't end: each piece of a body of status 200 and type
     * part_type as it comes, instead of the body; false ends it. Then timeout_ms is how long
     * nothing may come. */
    bool (*part)(void *ctx, struct guard_span piece);
    const char *part_type; /* kept until done */
    /* Called once for each request that was begun, from http_client_run or http_client_close; may
     * begin others (not from http_client_close). */
    void (*done)(void *ctx, const struct http_answer *answer);
    void *ctx;
};

/* Whether it is of a form that a client can be opened with; else the reason in err. */
GUARD_MUST_USE enum guard_rc http_server_check(const char *server, struct guard_err *err);
/* GUARD_E_RANGE (not of that form), GUARD_E_IO, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc http_client_open(struct http_client **out,
                                              const struct http_client_cfg *cfg,
                                              struct guard_err *err);
/* Requests under way end with status 0. */
void http_client_close(struct http_client *client);
/* GUARD_E_LIMIT (too many under way), GUARD_E_IO (the token can't be read), GUARD_E_NOMEM: done
 * isn't called. */
GUARD_MUST_USE enum guard_rc http_client_start(struct http_client *client,
                                               const struct http_request *request,
                                               struct guard_err *err);
/* Does what can be done without waiting, and calls done of what ended. */
void http_client_run(struct http_client *client);
/* Ends what may be revoked, with status 0: what of it wasn't sent never is. */
void http_client_revoke(struct http_client *client);
/* Readable when there is something to run; -1 for NULL. */
int http_client_fd(const struct http_client *client);
/* When to run at the latest, in milliseconds from now, at most max. */
uint32_t http_client_wait_ms(const struct http_client *client, uint32_t max);
uint32_t http_client_busy(const struct http_client *client);

#endif
