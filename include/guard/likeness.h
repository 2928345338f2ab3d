/* SPDX-License-Identifier: Apache-2.0 */
/* What a deviating value can read like, and the constructs that say so: words for explanations. The
 * numbers of the classes are a part of records, piles and policies. */
#ifndef GUARD_LIKENESS_H
#define GUARD_LIKENESS_H

#include <guard/types.h>

enum guard_likeness {
    GUARD_LIKENESS_SQL = 0,
    GUARD_LIKENESS_SCRIPT = 1,
    GUARD_LIKENESS_SHELL = 2,
    GUARD_LIKENESS_PATH = 3,     /* traversal, inclusion of files */
    GUARD_LIKENESS_TEMPLATE = 4, /* templates and expression languages, code */
    GUARD_LIKENESS_LDAP = 5,
    GUARD_LIKENESS_XPATH = 6,
    GUARD_LIKENESS_NOSQL = 7,
    GUARD_LIKENESS_XML = 8,      /* entities, inclusions */
    GUARD_LIKENESS_OBJECT = 9,   /* serialised objects */
    GUARD_LIKENESS_LOOKUP = 10,  /* JNDI and other lookups in text */
    GUARD_LIKENESS_HEADER = 11,  /* line breaks followed by headers */
    GUARD_LIKENESS_ADDRESS = 12, /* of internal hosts, or in odd schemes */
    GUARD_LIKENESS_INCLUDE = 13, /* server side includes */
    GUARD_LIKENESS_PROTOTYPE = 14,
    GUARD_LIKENESS_FORMAT = 15, /* format strings, null bytes */
    GUARD_LIKENESS_COUNT = 16,
};

/* Degrees are hundredths of a decade: 100 reads like an attack more than like anything else, 200 is
 * clear, 300 has no other use. Constructs below GUARD_LIKENESS_LEVEL don't exist. */
enum { GUARD_LIKENESS_LEVEL = 100, GUARD_LIKENESS_MAX = 300 };

enum guard_construct {
    GUARD_CONSTRUCT_NONE,
#define GUARD_CONSTRUCT(name, likeness, degree, words) GUARD_CONSTRUCT_##name,
#include <guard/likeness_constructs.h>
#undef GUARD_CONSTRUCT
    GUARD_CONSTRUCT_COUNT,
};

/* "sql"; "unknown". */
GUARD_API const char *guard_likeness_name(enum guard_likeness likeness);
/* "SQL", for people. */
GUARD_API const char *guard_likeness_words(enum guard_likeness likeness);
/* "a tautology after a quote"; "" for none. Static text. */
GUARD_API const char *guard_construct_words(enum guard_construct construct);
/* Its class; GUARD_LIKENESS_COUNT for none. */
GUARD_API enum guard_likeness guard_construct_likeness(enum guard_construct construct);
/* GUARD_LIKENESS_LEVEL to GUARD_LIKENESS_MAX; 0 for none. */
GUARD_API uint32_t guard_construct_degree(enum guard_construct construct);
/* What a value, or the name of one, reads like: bits of enum guard_likeness, and in *construct the
 * strongest that says so (NONE). Linear, without memory. */
GUARD_API uint32_t guard_likeness_read(struct guard_span text, bool is_name,
                                       enum guard_construct *construct);

#endif
