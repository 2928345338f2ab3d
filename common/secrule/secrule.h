/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual patches from rules that were written for ModSecurity and Coraza (SecLang). A rule becomes
 * a patch only when the patch means what the rule meant; whatever differs, and every directive that
 * doesn't map, is noted with its place. No file that a rule names is read. */
#ifndef GUARD_COMMON_SECRULE_SECRULE_H
#define GUARD_COMMON_SECRULE_SECRULE_H

#include <guard/patch.h>

enum {
    SECRULE_BYTES_MAX = 8 << 20,       /* of a file */
    SECRULE_MEMORY_MAX = 256 << 20,    /* of an import */
    SECRULE_DIRECTIVES_MAX = 20000,    /* of a file */
    SECRULE_DIRECTIVE_BYTES = 1 << 16, /* of one, with its continued lines */
    SECRULE_WORDS_MAX = 64,            /* of a directive; what more it has is passed over */
    SECRULE_CHAIN_MAX = 16,            /* rules of a chain */
    SECRULE_VARIABLES_MAX = 256,       /* of a rule, and actions of one */
    SECRULE_NOTES_EACH = 24,           /* of a rule; the rest is counted in its last one */
};

enum secrule_kind {
    SECRULE_PASSED_OVER, /* no rule: it says how an engine works */
    SECRULE_DIFFERS,     /* imported; means the same in other words, or looks at more decodings */
    SECRULE_NARROWER,    /* imported; hits less than the rule did */
    SECRULE_WIDER,       /* imported since that was asked for; hits more than the rule did */
    SECRULE_REFUSED,
};

/* Why. A refused rule counts for the cause of its first refusing note. */
enum secrule_cause {
    SECRULE_CAUSE_MEANING,    /* of what was imported: nothing is missing */
    SECRULE_CAUSE_SETTING,    /* of an engine */
    SECRULE_CAUSE_SCORE,      /* only adds to a score, or sets variables */
    SECRULE_CAUSE_FLOW,       /* skips, allows, or changes other rules */
    SECRULE_CAUSE_ORDER,      /* is only run when rules before it let it */
    SECRULE_CAUSE_STATE,      /* asks for variables that other rules keep */
    SECRULE_CAUSE_MATCHED,    /* asks for what a rule before it has matched */
    SECRULE_CAUSE_VARIABLE,   /* asks for what no place of a patch is */
    SECRULE_CAUSE_EXCLUSION,  /* looks at all values but some */
    SECRULE_CAUSE_NEGATION,   /* asks for what can't be negated */
    SECRULE_CAUSE_OPERATOR,   /* an operator that patches don't have */
    SECRULE_CAUSE_FILE,       /* names another file */
    SECRULE_CAUSE_MACRO,      /* is filled in at run time */
    SECRULE_CAUSE_TRANSFORM,  /* a transformation that patches don't have */
    SECRULE_CAUSE_EXPRESSION, /* a regular expression that patches don't allow */
    SECRULE_CAUSE_PHASE,      /* of a phase, or of request and response in one */
    SECRULE_CAUSE_NEVER,      /* can't ever match */
    SECRULE_CAUSE_REMOVED,    /* removed by another directive */
    SECRULE_CAUSE_FORM,       /* malformed, or a directive that isn't known */
    SECRULE_CAUSE_MAXIMUM,    /* beyond a maximum of patches */
    SECRULE_CAUSES,
};
const char *secrule_cause_name(enum secrule_cause cause);
const char *secrule_kind_name(enum secrule_kind kind);

struct secrule_note {
    struct secrule_note *next;
    const char *file;
    uint32_t line; /* from 1 */
    uint32_t column;
    enum secrule_kind kind;
    enum secrule_cause cause;
    struct guard_span rule; /* the rule's id; "" for directives and rules without */
    struct guard_span text;
};

struct secrule_patch {
    struct secrule_patch *next;
    struct guard_patch patch;
    struct guard_span rule; /* its id, or "" */
    uint64_t number;        /* its id as a number; 0: none */
    const char *file;
    uint32_t line;
    uint32_t column;
};

struct secrule_cfg {
    bool wider; /* import what can only be mapped wider */
    /* Whether a regular expression compiles; NULL: not asked. False with what is wrong in err. */
    bool (*compiles)(void *ctx, struct guard_span expression, bool ignore_case,
                     struct guard_err *err);
    void *ctx;
};

struct secrule_import {
    struct guard_arena arena;
    struct secrule_patch *patches; /* in the order of the rules */
    struct secrule_patch **patches_end;
    uint32_t patch_count;
    struct secrule_note *notes;
    struct secrule_note **notes_end;
    uint32_t directive_count;
    uint32_t rule_count; /* a chain is one */
    uint32_t refused[SECRULE_CAUSES];
};

/* An import without rules. Nothing is allocated yet; alloc is copied. */
void secrule_init(struct secrule_import *import, const struct guard_alloc *alloc);
/* Adds the rules of a file, as patches in mode shadow; name (which must outlive the import) is what
 * places begin with. What isn't of the language's form fails: GUARD_E_SYNTAX and GUARD_E_LIMIT with
 * "name:line:column: what" in err, GUARD_E_NOMEM; after a failure the import is of no use but to
 * secrule_fini. */
GUARD_MUST_USE enum guard_rc secrule_read(struct secrule_import *import, const char *name,
                                          struct guard_span bytes, const struct secrule_cfg *cfg,
                                          struct guard_err *err);
/* Gives all memory back, that of patches and notes, too. */
void secrule_fini(struct secrule_import *import);

#endif
