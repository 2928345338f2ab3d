/* SPDX-License-Identifier: Apache-2.0 */
/* Names of kinds, and features as people read them: what hostile programs chose is escaped. */
#include <guard/pods.h>

#include <stdio.h>
#include <string.h>

static const char *const kinds[GUARD_POD_KINDS] = {
    "destination", "listen", "exec", "user",     "write",    "secret", "dns",
    "dropped",     "memfd",  "root", "outbound", "response", "request"};

const char *guard_pod_kind_name(enum guard_pod_kind kind)
{
    return (uint32_t)kind < GUARD_POD_KINDS ? kinds[kind] : "";
}

const char *guard_pod_source_name(enum guard_pod_source source)
{
    static const char *const names[GUARD_POD_SOURCES] = {"", "sidecar", "podwatch", "falco",
                                                         "gate"};
    return (uint32_t)source < GUARD_POD_SOURCES ? names[source] : "";
}

const char *guard_pod_rate_name(enum guard_pod_rate rate)
{
    static const char *const names[GUARD_POD_RATES] = {"bytes out", "bytes in",  "connections",
                                                       "cpu",       "memory",    "pressure",
                                                       "requests",  "calls out", "calls in"};
    return (uint32_t)rate < GUARD_POD_RATES ? names[rate] : "";
}

const char *guard_pod_amount_name(uint32_t amount)
{
    return amount == GUARD_POD_BYTES_PER_REQUEST ? "bytes out per request"
                                                 : guard_pod_rate_name((enum guard_pod_rate)amount);
}

uint32_t guard_pod_hard_kinds(void)
{
    return 1u << GUARD_POD_DROPPED | 1u << GUARD_POD_MEMFD | 1u << GUARD_POD_ROOT;
}

/* A text of bounded size; what doesn't fit is left out. */
struct line {
    char *out;
    size_t size;
    size_t len;
};

static void add_text(struct line *line, const char *text)
{
    for (; *text != '\0' && line->len + 1 < line->size; text++)
        line->out[line->len++] = *text;
}

static void add_escaped(struct line *line, struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char piece[8];
        uint8_t byte = text.ptr[i];
        bool plain = byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';
        (void)snprintf(piece, sizeof(piece), plain ? "%c" : "\\x%02x", (int)byte);
        if (line->len + strlen(piece) >= line->size)
            return;
        add_text(line, piece);
    }
}

static void add_number(struct line *line, unsigned number)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%u", number);
    add_text(line, text);
}

static void add_address6(struct line *line, const uint8_t address[16])
{
    /* Without the shortening of zeros: one form for each address is what matters here. */
    for (size_t i = 0; i < 8; i++) {
        char text[8];
        (void)snprintf(text, sizeof(text), "%s%x", i == 0 ? "[" : ":",
                       (unsigned)(address[2 * i] << 8 | address[2 * i + 1]));
        add_text(line, text);
    }
    add_text(line, "]");
}

static void add_address(struct line *line, struct guard_span address)
{
    if (address.len == 16)
        add_address6(line, address.ptr);
    for (size_t i = 0; i < 4 && address.len == 4; i++) {
        add_text(line, i == 0 ? "" : ".");
        add_number(line, address.ptr[i]);
    }
}

static void add_endpoint(struct line *line, const struct guard_pod_feature *feature)
{
    add_text(line, feature->transport == 6 ? "tcp " : feature->transport == 17 ? "udp " : "");
    if (feature->address_len != 0)
        add_address(line, (struct guard_span){feature->address, feature->address_len});
    else
        add_escaped(line, feature->text);
    if ((feature->flags & GUARD_POD_NO_PORT) != 0) {
        add_text(line, ":?");
    } else {
        add_text(line, ":");
        add_number(line, feature->port);
    }
    if (feature->address_len != 0 && feature->text.len > 0) {
        add_text(line, " (");
        add_escaped(line, feature->text);
        if ((feature->flags & GUARD_POD_ANSWERED) != 0) {
            add_text(line, ", says ");
            add_address(line, feature->detail);
        }
        add_text(line, ")");
    }
}

static void add_program(struct line *line, const struct guard_pod_feature *feature)
{
    add_escaped(line, feature->text);
    if (feature->detail.len > 0) {
        add_text(line, " by ");
        add_escaped(line, feature->detail);
    }
}

static void add_user(struct line *line, const struct guard_pod_feature *feature)
{
    add_escaped(line, feature->text);
    add_text(line, feature->kind == GUARD_POD_ROOT ? ", from user " : " as user ");
    add_number(line, feature->user);
}

static void add_finding(struct line *line, const struct guard_pod_feature *feature)
{
    add_escaped(line, feature->text);
    if (feature->detail.len > 0) {
        add_text(line, ": ");
        add_escaped(line, feature->detail);
    }
}

size_t guard_pod_feature_text(const struct guard_pod_feature *feature, char *out, size_t size)
{
    static const char *const verbs[GUARD_POD_KINDS] = {
        "connects to ",
        "listens on ",
        "runs ",
        "runs ",
        "writes ",
        "reads secret ",
        "asks DNS for ",
        "runs what was written at run time: ",
        "runs from memory: ",
        "becomes root: ",
        "calls out: ",
        "answers ",
        "gets ",
    };
    struct line line = {out, size, 0};
    if (size == 0)
        return 0;
    if ((uint32_t)feature->kind < GUARD_POD_KINDS)
        add_text(&line, verbs[feature->kind]);
    switch (feature->kind) {
    case GUARD_POD_DESTINATION:
    case GUARD_POD_LISTEN:
        add_endpoint(&line, feature);
        break;
    case GUARD_POD_EXEC:
    case GUARD_POD_DROPPED:
    case GUARD_POD_MEMFD:
        add_program(&line, feature);
        break;
    case GUARD_POD_USER:
    case GUARD_POD_ROOT:
        add_user(&line, feature);
        break;
    case GUARD_POD_OUTBOUND:
    case GUARD_POD_RESPONSE:
    case GUARD_POD_REQUEST:
        add_finding(&line, feature);
        break;
    case GUARD_POD_WRITE:
    case GUARD_POD_SECRET:
    case GUARD_POD_DNS:
    case GUARD_POD_KINDS:
        add_escaped(&line, feature->text);
        break;
    }
    out[line.len] = '\0';
    return line.len;
}
