/* SPDX-License-Identifier: Apache-2.0 */
/* Words for what values can read like. */
#include <guard/likeness.h>

static const struct {
    const char *words;
    uint8_t likeness;
    uint16_t degree;
} constructs[GUARD_CONSTRUCT_COUNT] = {
    [GUARD_CONSTRUCT_NONE] = {"", GUARD_LIKENESS_COUNT, 0},
#define GUARD_CONSTRUCT(name, likeness, degree, words)                                             \
    [GUARD_CONSTRUCT_##name] = {words, GUARD_LIKENESS_##likeness, degree},
#include <guard/likeness_constructs.h>
#undef GUARD_CONSTRUCT
};

static const char *const names[GUARD_LIKENESS_COUNT][2] = {
    [GUARD_LIKENESS_SQL] = {"sql", "SQL"},
    [GUARD_LIKENESS_SCRIPT] = {"script", "script"},
    [GUARD_LIKENESS_SHELL] = {"shell", "a shell command"},
    [GUARD_LIKENESS_PATH] = {"path", "a path out of the service"},
    [GUARD_LIKENESS_TEMPLATE] = {"template", "a template or expression"},
    [GUARD_LIKENESS_LDAP] = {"ldap", "LDAP"},
    [GUARD_LIKENESS_XPATH] = {"xpath", "XPath"},
    [GUARD_LIKENESS_NOSQL] = {"nosql", "a query of a document store"},
    [GUARD_LIKENESS_XML] = {"xml", "XML that loads something"},
    [GUARD_LIKENESS_OBJECT] = {"object", "a serialised object"},
    [GUARD_LIKENESS_LOOKUP] = {"lookup", "a lookup"},
    [GUARD_LIKENESS_HEADER] = {"header", "injected headers"},
    [GUARD_LIKENESS_ADDRESS] = {"address", "an internal address"},
    [GUARD_LIKENESS_INCLUDE] = {"include", "a server side include"},
    [GUARD_LIKENESS_PROTOTYPE] = {"prototype", "pollution of a prototype"},
    [GUARD_LIKENESS_FORMAT] = {"format", "a format string or null byte"},
};

const char *guard_likeness_name(enum guard_likeness likeness)
{
    return (unsigned)likeness < GUARD_LIKENESS_COUNT ? names[likeness][0] : "unknown";
}

const char *guard_likeness_words(enum guard_likeness likeness)
{
    return (unsigned)likeness < GUARD_LIKENESS_COUNT ? names[likeness][1] : "unknown";
}

const char *guard_construct_words(enum guard_construct construct)
{
    return (unsigned)construct < GUARD_CONSTRUCT_COUNT ? constructs[construct].words : "";
}

enum guard_likeness guard_construct_likeness(enum guard_construct construct)
{
    return (unsigned)construct < GUARD_CONSTRUCT_COUNT
               ? (enum guard_likeness)constructs[construct].likeness
               : GUARD_LIKENESS_COUNT;
}

uint32_t guard_construct_degree(enum guard_construct construct)
{
    return (unsigned)construct < GUARD_CONSTRUCT_COUNT ? constructs[construct].degree : 0;
}
