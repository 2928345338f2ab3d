/* SPDX-License-Identifier: Apache-2.0 */
/* What of a request's values says that it is the exploit. */
#ifndef GUARD_COMMON_GENERALISE_EVIDENCE_H
#define GUARD_COMMON_GENERALISE_EVIDENCE_H

#include "common/generalise/message.h"

/* The strongest last. */
enum evidence_rank {
    EVIDENCE_NONE,
    EVIDENCE_NAME,   /* such a name is there; its value may be anything */
    EVIDENCE_CHOICE, /* the same, of a value that whoever sends it chooses, as a password */
    EVIDENCE_WORD,   /* a word that selects what is done */
    EVIDENCE_FILE,   /* a file is sent */
    EVIDENCE_TEXT,   /* a text in which nothing is recognised */
    EVIDENCE_SYNTAX, /* reads like an attack */
};

struct evidence {
    enum evidence_rank rank;
    struct guard_patch_condition *condition;
    struct guard_patch_condition *exact; /* of CHOICE: exactly this value; NULL: none */
    const char *why;                     /* static */
    struct guard_span what;              /* words for people */
};

/* What one value says; rank NONE with why set when it says nothing. */
struct evidence evidence_of(struct work *work, const struct message *message,
                            const struct message_value *value);
/* Its place and name for people: "query cmd". */
struct guard_span evidence_place(struct work *work, const struct guard_value *value);

#endif
