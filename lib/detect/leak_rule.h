/* SPDX-License-Identifier: Apache-2.0 */
/* What must stand around a word so that it tells a leak: the word alone is often harmless. */
#ifndef GD_DETECT_LEAK_RULE_H
#define GD_DETECT_LEAK_RULE_H

#include <guard/traffic.h>

enum gd_leak_rule {
    GD_LEAK_ALONE,       /* nothing */
    GD_LEAK_DIGIT,       /* a digit behind it */
    GD_LEAK_BLANK,       /* a blank or line end behind it */
    GD_LEAK_CALL,        /* a name and '(' behind it */
    GD_LEAK_NAME,        /* a name behind it that ends the line or the string */
    GD_LEAK_QUOTED,      /* a quote behind it */
    GD_LEAK_CLASS,       /* a dotted name that ends with Error, Exception, ... */
    GD_LEAK_LINE,        /* begins a line or a string */
    GD_LEAK_PYTHON,      /* File "x.py", line 12, in f */
    GD_LEAK_JVM_LINE,    /* at a.B.c(B.java:12) */
    GD_LEAK_JVM_METHOD,  /* at a.B.c(Native Method) */
    GD_LEAK_JVM_THREAD,  /* Exception in thread "main" a.b.C */
    GD_LEAK_JVM_CAUSE,   /* Caused by: a.b.CException */
    GD_LEAK_V8,          /* at f (x.js:1:2) */
    GD_LEAK_V8_INTERNAL, /* at f (node:internal/x:1:2) */
    GD_LEAK_RUBY,        /* x.rb:12:in `f' */
    GD_LEAK_GO_LINE,     /* x.go:12 +0x1f */
    GD_LEAK_GO_ROUTINE,  /* goroutine 1 [running]: */
    GD_LEAK_PHP_TRACE,   /* Stack trace: and #0 in the next line */
    GD_LEAK_PHP_FRAME,   /* #1 /x.php(12): f() */
    GD_LEAK_ORACLE,      /* ORA-00933: */
    GD_LEAK_SQLSTATE,    /* SQLSTATE[42S02] */
    GD_LEAK_NEAR,        /* near "x": syntax error */
    GD_LEAK_EXIST,       /* relation "x" does not exist */
    GD_LEAK_PEM,         /* -----BEGIN x PRIVATE KEY----- and base64 */
    GD_LEAK_AWS,         /* AKIA and 16 of A-Z0-9 */
    GD_LEAK_GOOGLE,      /* AIza and 35 */
    GD_LEAK_TOKEN_20,    /* a prefix and 20 or more */
    GD_LEAK_TOKEN_36,    /* a prefix and 36 or more */
    GD_LEAK_ROOT,        /* root:x:0:0: begins a line */
    GD_LEAK_ACCOUNT,     /* name:x:1:1:text:/home:/bin/sh */
    GD_LEAK_SHADOW,      /* name:$6$salt$hash */
};

struct gd_leak_word {
    char text[46]; /* not terminated when full */
    uint8_t len;
    uint8_t end; /* where in it the window ends that is looked for */
    uint8_t leak;
    uint8_t rule;
};

/* A word in its surroundings: text[low, high) may be read, the word is text[begin, end). */
struct gd_leak_place {
    const uint8_t *text;
    size_t low;
    size_t high;
    size_t begin;
    size_t end;
};

bool gd_leak_rule_fits(enum gd_leak_rule rule, const struct gd_leak_place *place);

/* Is a payment card's number in the run of digits to which text[at] belongs? */
enum gd_leak_card {
    GD_LEAK_CARD_NONE = 0,
    GD_LEAK_CARD_UNLIKE, /* begins as one and is as long, but its check digit is wrong */
    GD_LEAK_CARD_LIKE,   /* all is right, as of one in ten of random numbers that begin so */
    GD_LEAK_CARD_SURE,   /* in groups as printed, or behind a name that says what it is */
};
/* The answer hangs on less than 128 bytes before and 32 behind `at`. *number is set unless NONE. */
enum gd_leak_card gd_leak_card(const uint8_t *text, size_t len, size_t at, uint64_t *number);

#endif
