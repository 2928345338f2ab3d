/* SPDX-License-Identifier: Apache-2.0 */
/* What `guard export` can write, and `guard import guardian` can read again. */
#ifndef GUARD_CLI_EXPORT_H
#define GUARD_CLI_EXPORT_H

#include <guard/types.h>

struct export_openapi {
    const char *service; /* of the state directory, or NULL for the pile */
    const char *pile;
    const char *dir;
    const char *guardian; /* may be NULL: that of the state directory, if there is one */
    const char *review;   /* likewise */
    const char *output;   /* NULL: standard output */
    bool json;
    bool pending;
};

struct export_guardian {
    const char *service;
    const char *dir;
    const char *output;  /* NULL: standard output */
    const char *reviews; /* file for decisions of people, may be NULL */
};

struct remote;

struct import_guardian {
    const struct remote *remote; /* NULL: into the state directory */
    const char *file;
    const char *service; /* NULL: the document's */
    const char *dir;
    const char *reviews; /* file with decisions of people, may be NULL */
    const char *reason;  /* may be NULL */
    bool dry;
};

/* Each returns an exit status, after a message where it isn't EXIT_GOOD. */
int export_openapi(const struct export_openapi *job);
int export_guardian(const struct export_guardian *job);
int import_guardian(const struct import_guardian *job);

/* To the file, or to standard output when it is NULL. False after a message. */
bool export_write(const char *path, struct guard_span text);

#endif
