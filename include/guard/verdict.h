/* SPDX-License-Identifier: Apache-2.0 */
/* What was decided of an exchange, and why. */
#ifndef GUARD_VERDICT_H
#define GUARD_VERDICT_H

#include <guard/traffic.h>

enum guard_decision { GUARD_PASS = 0, GUARD_ALERT = 1, GUARD_BLOCK = 2 };
GUARD_API const char *
guard_decision_name(enum guard_decision decision); /* "pass", "alert", "block" */

enum guard_mode { GUARD_MODE_OBSERVE = 0, GUARD_MODE_ALERT = 1, GUARD_MODE_BLOCK = 2 };
GUARD_API const char *guard_mode_name(enum guard_mode mode); /* "observe", "alert", "block" */
/* The mode of that name; false, and *mode as it was, when there is none. */
GUARD_API bool guard_mode_from_name(struct guard_span name, enum guard_mode *mode);

/* The micro-rules. Append only: the numbers are part of formats. */
enum guard_rule {
    GUARD_RULE_PATH = 0,         /* no such path template */
    GUARD_RULE_METHOD = 1,       /* method never seen at this template */
    GUARD_RULE_CONTENT_TYPE = 2, /* media type never seen at this endpoint */
    GUARD_RULE_NAME = 3,         /* unknown parameter, header, cookie or JSON field */
    GUARD_RULE_MISSING = 4,      /* a name that every request had is absent */
    GUARD_RULE_CHARACTER =
        5, /* a new class of character that can carry syntax: see guard_class_is_syntax */
    GUARD_RULE_ALPHABET = 6,   /* a new class of letter, digit, blank or other harmless character */
    GUARD_RULE_TRANSITION = 7, /* one or two new neighbourhoods of classes */
    GUARD_RULE_TRANSITIONS = 8, /* three or more */
    GUARD_RULE_TYPE = 9,        /* a value of a new type */
    GUARD_RULE_LENGTH = 10,     /* longer than any before */
    GUARD_RULE_LENGTH_FAR = 11, /* more than twice as long as any before */
    GUARD_RULE_SHORT = 12,      /* shorter than any before */
    GUARD_RULE_DIGITS = 13,     /* more digits than any before */
    GUARD_RULE_SPECIALS = 14,   /* more punctuation than any before */
    GUARD_RULE_LITERAL = 15,    /* not one of a closed set of values */
    GUARD_RULE_ITEMS =
        16, /* more items in an array or members in an object, or repeats of a name */
    GUARD_RULE_DEPTH = 17,       /* nested deeper than any before */
    GUARD_RULE_FAULT = 18,       /* malformed in a way never seen here */
    GUARD_RULE_SIZE = 19,        /* body larger than any before */
    GUARD_RULE_CLIENT = 20,      /* an address outside a closed set of clients */
    GUARD_RULE_STATUS = 21,      /* a class of status that this endpoint never answered with */
    GUARD_RULE_LATENCY = 22,     /* more than twice as long as ever before */
    GUARD_RULE_LEAK = 23,        /* a kind of leak that this endpoint never showed */
    GUARD_RULE_DESTINATION = 24, /* outbound: a host that this service never called */
    GUARD_RULE_ITEMS_FAR = 25,   /* more than twice as many items as any before */
    GUARD_RULE_SIZE_FAR = 26,    /* a body more than twice as large as any before */
    GUARD_RULE_LIKENESS = 27,    /* reads like an attack, as no value did here */
    GUARD_RULE_COUNT = 28,
    /* How a client behaves, by many exchanges (guard/client.h). No endpoint holds a strength for
     * them, so they stand apart. */
    GUARD_RULE_CLIENT_RATE = 64,     /* more requests than any */
    GUARD_RULE_CLIENT_ERRORS = 65,   /* more requests that failed (4xx) */
    GUARD_RULE_CLIENT_BYTES = 66,    /* more bytes of responses */
    GUARD_RULE_CLIENT_PATHS = 67,    /* more unknown paths */
    GUARD_RULE_CLIENT_SEQUENCE = 68, /* more steps from endpoint to endpoint that nobody makes */
    GUARD_RULE_CLIENT_IDS = 69,      /* more different values at one place */
    GUARD_RULE_CLIENT_FAILURES = 70, /* more refused logins (401, 403) at one endpoint */
    GUARD_RULE_CLIENT_SUBJECTS = 71, /* more different values there, refused */
    GUARD_RULE_CLIENT_VERDICT = 72,  /* one of these was found before and still holds */
    GUARD_RULE_CLIENT_MANUAL = 73,   /* in verdicts: a person blocked the client for a while */
    /* By patches (guard/patch.h), which stand apart as well. */
    GUARD_RULE_PATCH = 80,        /* one hit */
    GUARD_RULE_PATCH_UNSEEN = 81, /* one couldn't be held against all of the message */
};
GUARD_API const char *guard_rule_name(enum guard_rule rule); /* "path", "content-type", ... */
/* The rule of that name; false, and *rule as it was, when there is none. */
GUARD_API bool guard_rule_from_name(struct guard_span name, enum guard_rule *rule);
/* Quotes, brackets, separators, operators: what the syntaxes of interpreters are made of
 * (" ' ` < > ( ) [ ] { } ; = | & $ \ % * # ! ^ ~ , and controls); not . - _ : / @ + ? blank. */
GUARD_API bool guard_class_is_syntax(enum guard_class cls);

/* Whose deviation it is. */
enum guard_part {
    GUARD_PART_REQUEST = 0,
    GUARD_PART_RESPONSE = 1,
    GUARD_PART_CLIENT = 2,
    GUARD_PART_OUTBOUND = 3, /* of a call that the service makes: request and response of it */
};
GUARD_API const char *guard_part_name(enum guard_part part); /* "request", ... */

/* One deviation. Spans point into the transaction's arena or the policy; valid as long as both. */
struct guard_finding {
    enum guard_rule rule;
    enum guard_part part;
    enum guard_location location;
    struct guard_span
        name; /* of the parameter, JSON path as a.b[].c, segment as seg0; empty for the request */
    uint32_t detail;   /* class, type, fault, length, count, enum guard_construct: by rule */
    uint32_t expected; /* the limit that was crossed, where there is one; enum guard_likeness */
    struct guard_span
        observed;    /* masked and bounded text for people, e.g. "tom or 1=1" as "aaa aa 0=0" */
    uint32_t values; /* support: values from clients that never did this */
    uint32_t clients;
    uint16_t strength;             /* evidence, hundredths of -log10 p */
    bool configured;               /* violates a rule that a person wrote */
    bool shadow;                   /* of a patch that only tells: it never blocks */
    struct guard_span patch;       /* its id; else empty. detail: enum guard_patch_operator */
    struct guard_span patch_title; /* for people */
    struct guard_span patch_text;  /* what was found: one of the condition's texts, or empty */
    struct guard_span
        exception; /* id of the exception (guard/exception.h) that covers it; else empty */
};

enum { GUARD_FINDINGS_MAX = 16, GUARD_NOVEL_MAX = 4 };

struct guard_verdict {
    enum guard_decision decision; /* what mode "block" does */
    enum guard_decision action;   /* what the mode in force lets the host do */
    uint16_t score;               /* hundredths of -log10 p, combined */
    uint16_t threshold;           /* that blocks */
    /* It deviates by new elements only (paths, methods, names, and what they make larger), and
     * nothing of it reads like an attack: so a release looks. Of decision ALERT: it would block,
     * but the revision is new, and that is why it doesn't (guard_txn_shadow). */
    bool novel;
    bool released; /* of decision ALERT: not for the revision, but because the policy lets these in
                    */
    uint32_t novel_count; /* 0 unless it is novel; of more the first ones */
    uint64_t
        novel_elements[GUARD_NOVEL_MAX]; /* which: a hash of each, the same wherever it comes */
    /* Id of the exception without which the decision would be BLOCK instead of ALERT; else empty.
     */
    struct guard_span exception;
    uint32_t finding_count; /* strongest first */
    uint32_t finding_total; /* with those that didn't fit */
    struct guard_finding findings[GUARD_FINDINGS_MAX];
};

/* One line for operators, as `BLOCK GET /users param username: character "=" never seen in 48,211
 * values from 3,120 clients (rate <= 2e-6)`. Control characters never appear. Returns the length
 * without the NUL; cut to cap. */
GUARD_API size_t guard_explain(const struct guard_verdict *verdict, struct guard_span method,
                               struct guard_span template_text, char *out, size_t cap);
/* The same for one finding, without verdict and endpoint. */
GUARD_API size_t guard_explain_finding(const struct guard_finding *finding, char *out, size_t cap);
/* "observed" and "expected" as a finding's JSON shows them; each NUL-terminated. */
GUARD_API void guard_finding_texts(const struct guard_finding *finding, char *observed,
                                   size_t observed_cap, char *expected, size_t expected_cap);

#endif
