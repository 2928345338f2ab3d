/* SPDX-License-Identifier: Apache-2.0 */
/* Return codes and error details of every fallible function. A verdict is not an error, and
 * malformed traffic is data: it becomes a finding and never a return code. */
#ifndef GUARD_ERROR_H
#define GUARD_ERROR_H

#include <stdarg.h>

#if defined(__GNUC__)
#define GUARD_API __attribute__((visibility("default")))
#define GUARD_MUST_USE __attribute__((warn_unused_result))
#define GUARD_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define GUARD_API
#define GUARD_MUST_USE
#define GUARD_PRINTF(fmt, args)
#endif

enum guard_rc {
    GUARD_OK = 0,
    GUARD_E_NOMEM = -1,     /* an allocation failed; the object is unchanged */
    GUARD_E_LIMIT = -2,     /* a maximum given at birth was reached */
    GUARD_E_SYNTAX = -3,    /* input is not of the expected form */
    GUARD_E_RANGE = -4,     /* a value lies outside what its field allows */
    GUARD_E_STATE = -5,     /* the call does not fit the object's state */
    GUARD_E_VERSION = -6,   /* made by a version that this one can't read */
    GUARD_E_CHECKSUM = -7,  /* the bytes are not those that were written */
    GUARD_E_SIGNATURE = -8, /* signed by nobody we trust */
    GUARD_E_FOREIGN = -9,   /* belongs to another service or key */
    GUARD_E_REPLAY = -10,   /* an older generation than the one in force */
    GUARD_E_OVERLAP = -11,  /* a pile holds a part of what the other holds */
    GUARD_E_IO = -12,       /* programs only: the operating system refused */
};

/* A sentence for the person who must act, without a trailing newline. */
struct guard_err {
    char text[256];
};

/* Evaluate a call that returns enum guard_rc and hand its failure to our caller. */
#define GUARD_TRY(expr)                                                                            \
    do {                                                                                           \
        enum guard_rc guard_try_rc = (expr);                                                       \
        if (guard_try_rc != GUARD_OK)                                                              \
            return guard_try_rc;                                                                   \
    } while (0)

/* The code's name, as "GUARD_E_LIMIT". A static string, never NULL. */
GUARD_API const char *guard_rc_name(enum guard_rc rc);

/* Fill err (which may be NULL) with a formatted sentence and return rc, so that a failure is
 * reported and returned in one statement. The text is cut to fit; control characters become '?'. */
GUARD_API enum guard_rc guard_fail(struct guard_err *err, enum guard_rc rc, const char *format, ...)
    GUARD_PRINTF(3, 4);

#endif
