/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual patches: what a person knows of a vulnerability of the service, or of an exploit of it,
 * as conditions on the values of a message. Their form in memory; documents in
 * common/guardian_patch.h, what they mean in docs/internals/patches.md. */
#ifndef GUARD_PATCH_H
#define GUARD_PATCH_H

#include <guard/traffic.h>

enum {
    GUARD_PATCHES_MAX = 2048,          /* of a Guardian */
    GUARD_PATCH_CONDITIONS_MAX = 64,   /* of a patch, with all, any and not */
    GUARD_PATCH_DEPTH_MAX = 8,         /* of conditions in each other */
    GUARD_PATCH_LIST_MAX = 64,         /* texts of a condition, names, endpoints, references */
    GUARD_PATCH_TEXT_MAX = 1024,       /* bytes of a text to look for, and of words for people */
    GUARD_PATCH_EXPRESSION_MAX = 4096, /* bytes of a regular expression */
    GUARD_PATCH_ID_MAX = 64,           /* of [A-Za-z0-9._-], the first one no '-' or '.' */
};

/* Where a condition looks, as bits. */
enum guard_patch_place {
    GUARD_PLACE_METHOD = 1 << 0, /* as sent; nameless */
    GUARD_PLACE_PATH = 1 << 1,   /* the whole path without the query; nameless */
    GUARD_PLACE_TARGET = 1 << 2, /* path and query in one; nameless */
    GUARD_PLACE_QUERY = 1 << 3,  /* parameters */
    GUARD_PLACE_HEADER = 1 << 4, /* of the part; names are lower case */
    GUARD_PLACE_COOKIE = 1 << 5, /* of a response: those it sets */
    GUARD_PLACE_FORM = 1 << 6,
    GUARD_PLACE_JSON = 1 << 7,      /* leaves; names as a.b[].c */
    GUARD_PLACE_MULTIPART = 1 << 8, /* contents of parts that are no files, by the part's name */
    GUARD_PLACE_FILE = 1 << 9,      /* file names of parts, by the part's name */
    GUARD_PLACE_BODY = 1 << 10,     /* the whole body, decompressed; nameless */
    GUARD_PLACE_GRAPHQL = 1 << 11,
    GUARD_PLACE_STATUS = 1 << 12, /* of a response, as three digits; nameless */
    GUARD_PLACE_ALL = (1 << 13) - 1,
};

/* The canonical streams: in which of its forms a value is looked at. */
enum guard_patch_view {
    GUARD_VIEW_DECODED, /* default: TEXT, and what that becomes when it is decoded on and on:
                           percent signs (also %uXXXX), entities, \x and \u escapes, overlong UTF-8,
                           NULs dropped. True when any of these forms is it */
    GUARD_VIEW_TEXT,    /* as the service gets it: decoded once as its place asks for */
    GUARD_VIEW_RAW,     /* as it was sent; of JSON and multipart, as TEXT */
};

/* What a condition asks. All but PRESENT, COUNT and NOT, ALL, ANY hold when one value in its scope
 * satisfies them. */
enum guard_patch_operator {
    GUARD_OPERATOR_ALL, /* of the conditions below */
    GUARD_OPERATOR_ANY,
    GUARD_OPERATOR_NOT,      /* of exactly one */
    GUARD_OPERATOR_PRESENT,  /* there is such a value; min 0, max 0: there is none */
    GUARD_OPERATOR_CONTAINS, /* one of texts */
    GUARD_OPERATOR_EQUALS,
    GUARD_OPERATOR_BEGINS,
    GUARD_OPERATOR_ENDS,
    GUARD_OPERATOR_REGEX,     /* texts[0]: PCRE2, bytes, dot matches all; no look-behind, \A, \z,
                                 \G, back-references, callouts, recursion */
    GUARD_OPERATOR_TYPE,      /* types: it is of one of these */
    GUARD_OPERATOR_LENGTH,    /* bytes, from min to max */
    GUARD_OPERATOR_COUNT,     /* values in scope, from min to max */
    GUARD_OPERATOR_RANGE,     /* a decimal integer from min to max; no integer: false */
    GUARD_OPERATOR_CHARSET,   /* texts[0]: a set as [a-z0-9._-] without brackets; it holds a byte
                                 that isn't of the set */
    GUARD_OPERATOR_TRAVERSAL, /* ".." between slashes or backslashes (also at an end), or an
                                 absolute path of files (/etc/, /proc/, c:\) after it */
    GUARD_OPERATOR_LIKENESS,  /* likeness: reads like one of these, bits of enum guard_likeness */
    GUARD_OPERATORS,
};

struct guard_patch_condition {
    enum guard_patch_operator op;
    enum guard_patch_view view;
    bool on_names;    /* names instead of values are looked at (of places that have them) */
    bool ignore_case; /* ASCII; of CONTAINS, EQUALS, BEGINS, ENDS, REGEX */
    uint32_t places;  /* 0: all of the part but BODY where a body was read as something else */
    const struct guard_span *names; /* count 0: any; '*' in one stands for any bytes */
    uint32_t name_count;
    const struct guard_span *texts;
    uint32_t text_count;
    uint32_t types; /* bits of enum guard_type */
    uint32_t likeness;
    int64_t min; /* -1: not said */
    int64_t max;
    const struct guard_patch_condition *children;
    uint32_t child_count;
};

enum guard_patch_mode { GUARD_PATCH_OFF, GUARD_PATCH_SHADOW, GUARD_PATCH_ENFORCE };
enum guard_patch_action { GUARD_PATCH_ALERT, GUARD_PATCH_BLOCK };
enum guard_patch_part { GUARD_PATCH_REQUEST, GUARD_PATCH_RESPONSE };

/* Spans and arrays are the owner's of the Guardian or document they were read from. */
struct guard_patch {
    struct guard_span id;    /* "CVE-2021-44228", unique in a Guardian */
    struct guard_span title; /* one line */
    const struct guard_span *references;
    uint32_t reference_count;
    enum guard_patch_part part;
    enum guard_patch_mode mode;     /* default SHADOW */
    enum guard_patch_action action; /* default BLOCK */
    bool mandatory;                 /* no exception lets a hit pass */
    uint64_t expires_ms;            /* Unix time; 0: never. Expired: it counts as SHADOW, loudly */
    struct guard_span fixed_in; /* revision that carries the fix: there it counts as SHADOW; "" */
    struct guard_span author;   /* who */
    struct guard_span reason;   /* why */
    /* Scope. count 0: any. */
    const struct guard_span *endpoints; /* path templates as of Guardians: "/users/{}", "/s/{*}",
                                           held against the decoded path itself, learned or not */
    uint32_t endpoint_count;
    const struct guard_span *methods;
    uint32_t method_count;
    const struct guard_span *media_types; /* of the part's body: "application/json", "text/x" */
    uint32_t media_count;
    struct guard_patch_condition when;
};

/* How a matcher answers. */
enum guard_match {
    GUARD_MATCH_NO,
    GUARD_MATCH_YES,
    GUARD_MATCH_ABORTED, /* its limit was reached: counts as YES, so that no text talks a patch out
                            of force */
};

/* Told for each pattern that a stream may hold, in any order, more than once. */
typedef void guard_pattern_hit(void *hit_ctx, uint64_t pattern);

/* What libguard can't do itself, given by the host; one for a thread. */
struct guard_matcher {
    void *ctx;
    /* Looks for all patterns at once. False: it couldn't, so that every patch is tried. A pattern
     * that is in the stream is always told (one that isn't may be). */
    bool (*scan)(void *ctx, struct guard_span stream, guard_pattern_hit *hit, void *hit_ctx);
    /* Whether one regular expression is in one value, exactly. */
    enum guard_match (*find)(void *ctx, uint64_t pattern, struct guard_span expression,
                             bool ignore_case, struct guard_span value);
};

/* What one patch of a policy cost on one message. */
struct guard_patch_cost {
    uint32_t index; /* of the patch: see guard_policy_patch */
    bool hit;
    uint64_t bytes; /* that its conditions were held against, with a few for each value */
    uint64_t time;  /* by the meter's clock */
};

/* Who wants to know what patches cost; given by the host. Only patches that are tried are told of:
 * what the scan finds no sign of costs nothing of its own. */
struct guard_patch_meter {
    void *ctx;
    uint64_t (*clock)(void *ctx); /* NULL: time isn't measured */
    void (*told)(void *ctx, const struct guard_patch_cost *cost);
};

/* One text that the matcher is to know. */
struct guard_pattern {
    uint64_t id; /* of the rest: equal ids are equal patterns, in every policy */
    struct guard_span text;
    bool regex; /* else the bytes themselves */
    bool ignore_case;
};

/* never 0 */
GUARD_API uint64_t guard_pattern_id(struct guard_span text, bool regex, bool ignore_case);

typedef void guard_pattern_told(void *ctx, const struct guard_pattern *pattern);

/* Tells the patterns of which one is in every message that the patch hits, as compilers of policies
 * take them. False, and nothing told: it has none, and is tried on each message. The patch was
 * checked; texts are the patch's, or last for ever. */
GUARD_API bool guard_patch_cover(const struct guard_patch *patch, guard_pattern_told *told,
                                 void *ctx);

/* The words of documents: "contains", ...; NULL for what has none. */
GUARD_API const char *guard_operator_name(enum guard_patch_operator op);
/* One place's: "query", ... */
GUARD_API const char *guard_place_name(uint32_t place);

/* The rules that documents and compilers hold patches to, in one place: ids, counts, depths,
 * operators with what they need, places of the part, sets, syntax of regular expressions as far as
 * libguard can tell. GUARD_E_LIMIT, GUARD_E_SYNTAX, with "when.all[1].names[0]: what" in err. */
GUARD_API GUARD_MUST_USE enum guard_rc guard_patch_check(const struct guard_patch *patch,
                                                         struct guard_err *err);

#endif
