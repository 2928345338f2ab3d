/* SPDX-License-Identifier: Apache-2.0 */
/* The names that labels of public data and of tools use, beside those of the classes themselves. A
 * name that could mean several grammars isn't here. */
#include "eval_own_class.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *label;
    enum guard_likeness likeness;
} names[] = {
    {"sqli", GUARD_LIKENESS_SQL},
    {"sql-injection", GUARD_LIKENESS_SQL},
    {"xss", GUARD_LIKENESS_SCRIPT},
    {"cmdi", GUARD_LIKENESS_SHELL},
    {"command-injection", GUARD_LIKENESS_SHELL},
    {"traversal", GUARD_LIKENESS_PATH},
    {"path-traversal", GUARD_LIKENESS_PATH},
    {"lfi", GUARD_LIKENESS_PATH},
    {"ssti", GUARD_LIKENESS_TEMPLATE},
    {"ldapi", GUARD_LIKENESS_LDAP},
    {"xpathi", GUARD_LIKENESS_XPATH},
    {"nosqli", GUARD_LIKENESS_NOSQL},
    {"xxe", GUARD_LIKENESS_XML},
    {"deserialization", GUARD_LIKENESS_OBJECT},
    {"deserialisation", GUARD_LIKENESS_OBJECT},
    {"jndi", GUARD_LIKENESS_LOOKUP},
    {"log4shell", GUARD_LIKENESS_LOOKUP},
    {"crlf", GUARD_LIKENESS_HEADER},
    {"header-injection", GUARD_LIKENESS_HEADER},
    {"ssrf", GUARD_LIKENESS_ADDRESS},
    {"ssi", GUARD_LIKENESS_INCLUDE},
    {"esi", GUARD_LIKENESS_INCLUDE},
    {"prototype-pollution", GUARD_LIKENESS_PROTOTYPE},
    {"format-string", GUARD_LIKENESS_FORMAT},
};

static bool is(struct guard_span text, const char *name)
{
    return text.len == strlen(name) && strncasecmp((const char *)text.ptr, name, text.len) == 0;
}

enum guard_likeness eval_own_class(struct guard_span label_class)
{
    for (size_t i = 0; label_class.len > 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        if (is(label_class, names[i].label))
            return names[i].likeness;
    }
    for (uint32_t i = 0; label_class.len > 0 && i < GUARD_LIKENESS_COUNT; i++) {
        if (is(label_class, guard_likeness_name((enum guard_likeness)i)))
            return (enum guard_likeness)i;
    }
    return GUARD_LIKENESS_COUNT;
}
