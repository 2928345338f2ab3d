/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a finding for the person who must act on it: where, what, and how sure, in numbers of
 * this service. */
#include "decide/decide.h"
#include "decide/line.h"

#include <guard/patch.h>

#include <guard/likeness.h>

/* What these rules say names its place by itself. */
static bool says_place(const struct guard_finding *finding)
{
    return finding->rule == GUARD_RULE_METHOD || finding->rule == GUARD_RULE_CONTENT_TYPE ||
           finding->rule == GUARD_RULE_STATUS || finding->rule == GUARD_RULE_LATENCY ||
           finding->rule == GUARD_RULE_LEAK || finding->rule == GUARD_RULE_DESTINATION;
}

/* "param username", "path segment seg1", "request". */
static void put_place(struct gd_line *line, const struct guard_finding *finding)
{
    static const char *const places[GUARD_LOCATION_COUNT] = {
        [GUARD_LOCATION_NONE] = "request",
        [GUARD_LOCATION_PATH] = "path segment",
        [GUARD_LOCATION_QUERY] = "param",
        [GUARD_LOCATION_HEADER] = "header",
        [GUARD_LOCATION_COOKIE] = "cookie",
        [GUARD_LOCATION_FORM] = "form field",
        [GUARD_LOCATION_JSON] = "JSON field",
        [GUARD_LOCATION_MULTIPART] = "part",
        [GUARD_LOCATION_BODY] = "body",
        [GUARD_LOCATION_CLIENT] = "client",
        [GUARD_LOCATION_GRAPHQL] = "GraphQL",
        [GUARD_LOCATION_PROTOBUF] = "protobuf field",
        [GUARD_LOCATION_WEBSOCKET] = "WebSocket message",
    };
    bool known = (unsigned)finding->location < GUARD_LOCATION_COUNT;
    bool whole = !known || finding->location == GUARD_LOCATION_NONE;
    bool answer = finding->part == GUARD_PART_RESPONSE;
    if (answer)
        gd_line_string(line, whole && !says_place(finding) ? "response" : "response ");
    if (says_place(finding))
        return;
    if (finding->name.len > 0) {
        gd_line_string(line, known ? places[finding->location] : "request");
        gd_line_string(line, " ");
        gd_line_text(line, finding->name);
    } else if (!whole) {
        gd_line_string(line, guard_location_name(finding->location));
    } else if (!answer) {
        gd_line_string(line, "request");
    }
    gd_line_string(line, ": ");
}

static void put_quoted(struct gd_line *line, struct guard_span text)
{
    gd_line_string(line, "\"");
    gd_line_text(line, text);
    gd_line_string(line, "\"");
}

static void put_class(struct gd_line *line, uint32_t cls)
{
    char name[16];
    guard_class_name((enum guard_class)(cls < GUARD_CLASS_COUNT ? cls : GUARD_CLASS_INVALID), name);
    gd_line_string(line, name);
}

static void put_count(struct gd_line *line, uint32_t count, const char *one, const char *many)
{
    gd_line_number(line, count);
    gd_line_string(line, count == 1 ? one : many);
}

/* Above which limit a number lies. */
static void put_above(struct gd_line *line, const struct guard_finding *finding, const char *one,
                      const char *many)
{
    put_count(line, finding->detail, one, many);
    gd_line_string(line, finding->configured ? ", allowed are at most " : ", never above ");
    gd_line_number(line, finding->expected);
}

static void put_types(struct gd_line *line, uint32_t types)
{
    bool first = true;
    for (uint32_t i = 0; i < GUARD_TYPE_COUNT; i++) {
        if ((types >> i & 1) == 0)
            continue;
        gd_line_string(line, first ? "" : ", ");
        gd_line_string(line, guard_type_name((enum guard_type)i));
        first = false;
    }
    if (first)
        gd_line_string(line, "nothing");
}

/* "x never seen", or "x is not allowed". */
static void put_never(struct gd_line *line, const struct guard_finding *finding)
{
    gd_line_string(line, finding->configured ? " is not allowed" : " never seen");
}

/* Rules on requests as a whole. False when it is another. */
static bool put_request_rule(struct gd_line *line, const struct guard_finding *finding)
{
    switch ((int)finding->rule) {
    case GUARD_RULE_PATH:
        if (finding->name.len > 0)
            put_quoted(line, finding->observed);
        else
            gd_line_string(line, "a path that ends");
        put_never(line, finding);
        gd_line_string(line, " here");
        return true;
    case GUARD_RULE_DESTINATION:
        gd_line_string(line, "destination ");
        put_quoted(line, finding->observed);
        gd_line_string(line, finding->configured ? " is not allowed" : " never called");
        return true;
    case GUARD_RULE_METHOD:
        gd_line_string(line, "method ");
        put_quoted(line, finding->observed);
        put_never(line, finding);
        return true;
    case GUARD_RULE_CONTENT_TYPE:
        gd_line_string(line,
                       finding->observed.len > 0 ? "content type " : "a body without content type");
        if (finding->observed.len > 0)
            put_quoted(line, finding->observed);
        put_never(line, finding);
        return true;
    case GUARD_RULE_SIZE:
    case GUARD_RULE_SIZE_FAR:
        put_above(line, finding, " byte", " bytes");
        return true;
    case GUARD_RULE_DEPTH:
        put_above(line, finding, " level of nesting", " levels of nesting");
        return true;
    case GUARD_RULE_FAULT:
        gd_line_string(line, "malformed (");
        gd_line_string(line, guard_fault_name((enum guard_fault)finding->detail));
        gd_line_string(line, ")");
        put_never(line, finding);
        return true;
    case GUARD_RULE_STATUS:
        gd_line_string(line, "status ");
        gd_line_number(line, finding->detail);
        put_never(line, finding);
        return true;
    case GUARD_RULE_LEAK:
        gd_line_string(line, "shows a ");
        gd_line_string(line, guard_leak_name((enum guard_leak)finding->detail));
        gd_line_string(line, finding->configured ? ", which is not allowed" : " never seen");
        return true;
    case GUARD_RULE_LATENCY:
        gd_line_string(line, "takes ");
        put_above(line, finding, " ms", " ms");
        return true;
    case GUARD_RULE_CLIENT:
        gd_line_text(line, finding->observed);
        gd_line_string(line, " is none of the ");
        put_count(line, finding->expected, " known client", " known clients");
        return true;
    default:
        return false;
    }
}

static void put_transition(struct gd_line *line, const struct guard_finding *finding)
{
    put_class(line, finding->detail >> 6);
    gd_line_string(line, " before ");
    put_class(line, finding->detail & 63);
    if (finding->expected > 1) {
        gd_line_string(line, " and ");
        put_count(line, finding->expected - 1, " more neighbourhood", " more neighbourhoods");
    }
    put_never(line, finding);
}

/* "SQL: a tautology after a quote" */
static void put_likeness(struct gd_line *line, const struct guard_finding *finding)
{
    const char *construct = guard_construct_words((enum guard_construct)finding->detail);
    gd_line_string(line, guard_likeness_words((enum guard_likeness)finding->expected));
    gd_line_string(line, construct[0] != '\0' ? ": " : "");
    gd_line_string(line, construct);
}

/* Rules on fields. */
static void put_field_rule(struct gd_line *line, const struct guard_finding *finding)
{
    switch ((int)finding->rule) {
    case GUARD_RULE_NAME:
        gd_line_string(line, finding->configured ? "not allowed" : "name never seen");
        break;
    case GUARD_RULE_MISSING:
        gd_line_string(line,
                       finding->configured ? "missing, required" : "missing, was always there");
        break;
    case GUARD_RULE_CHARACTER:
    case GUARD_RULE_ALPHABET:
        gd_line_string(line, "character ");
        put_class(line, finding->detail);
        put_never(line, finding);
        break;
    case GUARD_RULE_TRANSITION:
    case GUARD_RULE_TRANSITIONS:
        put_transition(line, finding);
        break;
    case GUARD_RULE_TYPE:
        gd_line_string(line, "type ");
        gd_line_string(line, guard_type_name((enum guard_type)finding->detail));
        gd_line_string(line, " instead of ");
        put_types(line, finding->expected);
        put_never(line, finding);
        break;
    case GUARD_RULE_LENGTH:
    case GUARD_RULE_LENGTH_FAR:
        gd_line_string(line, "length ");
        put_above(line, finding, "", "");
        break;
    case GUARD_RULE_SHORT:
        gd_line_string(line, "length ");
        gd_line_number(line, finding->detail);
        gd_line_string(line, finding->configured ? ", allowed are at least " : ", never below ");
        gd_line_number(line, finding->expected);
        break;
    case GUARD_RULE_DIGITS:
        put_above(line, finding, " digit", " digits");
        break;
    case GUARD_RULE_SPECIALS:
        put_above(line, finding, " punctuation character", " punctuation characters");
        break;
    case GUARD_RULE_LITERAL:
        put_quoted(line, finding->observed);
        gd_line_string(line, " is none of the ");
        put_count(line, finding->expected, " known value", " known values");
        break;
    case GUARD_RULE_ITEMS:
    case GUARD_RULE_ITEMS_FAR:
        put_above(line, finding, " item", " items");
        break;
    case GUARD_RULE_LIKENESS:
        gd_line_string(line, "looks like ");
        put_likeness(line, finding);
        gd_line_string(line, ",");
        put_never(line, finding);
        break;
    default:
        gd_line_string(line, "deviates");
        break;
    }
}

/* Of what the support of a finding is counted. */
static bool counts_values(const struct guard_finding *finding)
{
    return (finding->rule >= GUARD_RULE_CHARACTER && finding->rule <= GUARD_RULE_ITEMS) ||
           finding->rule == GUARD_RULE_ITEMS_FAR;
}

static void put_support(struct gd_line *line, const struct guard_finding *finding)
{
    if (finding->configured) {
        gd_line_string(line, " (configured)");
        return;
    }
    gd_line_string(line, " in ");
    if (finding->rule == GUARD_RULE_DESTINATION)
        put_count(line, finding->values, " call", " calls");
    else if (counts_values(finding))
        put_count(line, finding->values, " value", " values");
    else
        put_count(line, finding->values,
                  finding->part == GUARD_PART_RESPONSE ? " response" : " request",
                  finding->part == GUARD_PART_RESPONSE ? " responses" : " requests");
    if (finding->clients > 0) {
        gd_line_string(line, " from ");
        if (finding->rule == GUARD_RULE_DESTINATION)
            put_count(line, finding->clients, " caller", " callers");
        else
            put_count(line, finding->clients, " client", " clients");
    }
    gd_line_string(line, " (rate <= ");
    gd_line_rate(line, finding->strength);
    gd_line_string(line, ")");
}

/* `header user-agent: patch CVE-2021-44228 (Log4j looks up names): contains "${jndi:"` */
static bool explain_patch(struct gd_line *line, const struct guard_finding *finding)
{
    if (finding->rule != GUARD_RULE_PATCH && finding->rule != GUARD_RULE_PATCH_UNSEEN)
        return false;
    put_place(line, finding);
    gd_line_string(line, finding->shadow ? "patch in shadow " : "patch ");
    gd_line_text(line, finding->patch);
    if (finding->patch_title.len > 0) {
        gd_line_string(line, " (");
        gd_line_text(line, finding->patch_title);
        gd_line_string(line, ")");
    }
    if (finding->rule == GUARD_RULE_PATCH_UNSEEN) {
        gd_line_string(line, ": not all of the message was inspected for it");
        return true;
    }
    const char *word = guard_operator_name((enum guard_patch_operator)finding->detail);
    gd_line_string(line, ": ");
    gd_line_string(line, word != NULL ? word : "holds");
    if (finding->patch_text.len > 0) {
        gd_line_string(line, " \"");
        gd_line_text(line, gd_span_head(finding->patch_text, 64));
        gd_line_string(line, "\"");
    }
    return true;
}

static void put_told(struct gd_line *line, const struct guard_finding *finding)
{
    if (gd_explain_client(line, finding) || explain_patch(line, finding))
        return;
    put_place(line, finding);
    if (!put_request_rule(line, finding))
        put_field_rule(line, finding);
    put_support(line, finding);
}

static void put_finding(struct gd_line *line, const struct guard_finding *finding)
{
    put_told(line, finding);
    if (finding->exception.len == 0)
        return;
    gd_line_string(line, " [exception ");
    gd_line_text(line, finding->exception);
    gd_line_string(line, "]");
}

size_t guard_explain_finding(const struct guard_finding *finding, char *out, size_t cap)
{
    struct gd_line line;
    gd_line_init(&line, out, cap);
    put_finding(&line, finding);
    return gd_line_end(&line);
}

size_t guard_explain(const struct guard_verdict *verdict, struct guard_span method,
                     struct guard_span template_text, char *out, size_t cap)
{
    static const char *const words[] = {"PASS", "ALERT", "BLOCK"};
    struct gd_line line;
    gd_line_init(&line, out, cap);
    if (verdict->action < verdict->decision)
        gd_line_string(&line, "WOULD ");
    gd_line_string(
        &line, words[(unsigned)verdict->decision <= GUARD_BLOCK ? verdict->decision : GUARD_PASS]);
    gd_line_string(&line, " ");
    gd_line_text(&line, method);
    gd_line_string(&line, " ");
    gd_line_text(&line,
                 template_text.len > 0 ? template_text : GUARD_SPAN_LITERAL("(unknown path)"));
    if (verdict->finding_count > 0) {
        gd_line_string(&line, " ");
        put_finding(&line, &verdict->findings[0]);
    }
    if (verdict->novel && verdict->decision == GUARD_ALERT)
        gd_line_string(&line, verdict->released ? "; not blocked, as many clients began it together"
                                                : "; not blocked, as the revision is new");
    if (verdict->exception.len > 0) {
        gd_line_string(&line, "; not blocked, by exception ");
        gd_line_text(&line, verdict->exception);
    }
    return gd_line_end(&line);
}

static void put_observed(struct gd_line *line, const struct guard_finding *finding)
{
    if (gd_explain_client_observed(line, finding))
        return;
    switch ((int)finding->rule) {
    case GUARD_RULE_CHARACTER:
    case GUARD_RULE_ALPHABET:
        put_class(line, finding->detail);
        gd_line_string(line, " in ");
        gd_line_text(line, finding->observed);
        break;
    case GUARD_RULE_TRANSITION:
    case GUARD_RULE_TRANSITIONS:
        put_class(line, finding->detail >> 6);
        gd_line_string(line, " before ");
        put_class(line, finding->detail & 63);
        gd_line_string(line, " in ");
        gd_line_text(line, finding->observed);
        break;
    case GUARD_RULE_LIKENESS:
        put_likeness(line, finding);
        gd_line_string(line, finding->observed.len > 0 ? " in " : "");
        gd_line_text(line, finding->observed);
        break;
    case GUARD_RULE_TYPE:
        gd_line_string(line, guard_type_name((enum guard_type)finding->detail));
        break;
    case GUARD_RULE_FAULT:
        gd_line_string(line, guard_fault_name((enum guard_fault)finding->detail));
        break;
    case GUARD_RULE_MISSING:
        gd_line_string(line, "missing");
        break;
    case GUARD_RULE_LEAK:
        gd_line_string(line, guard_leak_name((enum guard_leak)finding->detail));
        break;
    case GUARD_RULE_STATUS:
    case GUARD_RULE_LATENCY:
    case GUARD_RULE_LENGTH:
    case GUARD_RULE_LENGTH_FAR:
    case GUARD_RULE_SHORT:
    case GUARD_RULE_DIGITS:
    case GUARD_RULE_SPECIALS:
    case GUARD_RULE_ITEMS:
    case GUARD_RULE_ITEMS_FAR:
    case GUARD_RULE_DEPTH:
    case GUARD_RULE_SIZE:
    case GUARD_RULE_SIZE_FAR:
        gd_line_number(line, finding->detail);
        break;
    default:
        gd_line_text(line, finding->observed);
        break;
    }
}

static void put_expected(struct gd_line *line, const struct guard_finding *finding)
{
    if (gd_explain_client_expected(line, finding))
        return;
    switch ((int)finding->rule) {
    case GUARD_RULE_TYPE:
        put_types(line, finding->expected);
        break;
    case GUARD_RULE_LENGTH:
    case GUARD_RULE_LENGTH_FAR:
    case GUARD_RULE_DIGITS:
    case GUARD_RULE_SPECIALS:
    case GUARD_RULE_ITEMS:
    case GUARD_RULE_ITEMS_FAR:
    case GUARD_RULE_DEPTH:
    case GUARD_RULE_SIZE:
    case GUARD_RULE_SIZE_FAR:
    case GUARD_RULE_LATENCY:
        gd_line_string(line, "at most ");
        gd_line_number(line, finding->expected);
        break;
    case GUARD_RULE_SHORT:
        gd_line_string(line, "at least ");
        gd_line_number(line, finding->expected);
        break;
    case GUARD_RULE_LITERAL:
        gd_line_string(line, "one of ");
        put_count(line, finding->expected, " value", " values");
        break;
    case GUARD_RULE_CLIENT:
        gd_line_string(line, "one of ");
        put_count(line, finding->expected, " client", " clients");
        break;
    case GUARD_RULE_MISSING:
        gd_line_string(line, "required");
        break;
    case GUARD_RULE_PATCH:
    case GUARD_RULE_PATCH_UNSEEN:
        gd_line_string(line, "not what patch ");
        gd_line_text(line, finding->patch);
        gd_line_string(line, " is for");
        break;
    default:
        gd_line_string(line, finding->configured ? "as configured" : "as seen before");
        break;
    }
}

void guard_finding_texts(const struct guard_finding *finding, char *observed, size_t observed_cap,
                         char *expected, size_t expected_cap)
{
    struct gd_line line;
    gd_line_init(&line, observed, observed_cap);
    put_observed(&line, finding);
    (void)gd_line_end(&line);
    gd_line_init(&line, expected, expected_cap);
    put_expected(&line, finding);
    (void)gd_line_end(&line);
}
