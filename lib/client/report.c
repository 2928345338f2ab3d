/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a client that crossed bounds: the strongest first, who it is as far as records
 * tell, and what the mode makes of it. */
#include "client/client.h"

enum { NOTABLE = 100 }; /* hundredths below the threshold */

void gd_client_report_add(struct guard_client_report *report,
                          const struct gd_client_crossing *crossing, uint32_t clients)
{
    static const uint32_t seconds[GD_CLIENT_TIERS] = {600, 86400};
    const struct gd_client_norm *norm = crossing->norm;
    struct guard_verdict *verdict = &report->verdict;
    uint16_t weighted = gd_client_weighted(norm->rule, crossing->level, crossing->strength);
    if (weighted + NOTABLE < verdict->threshold)
        return;
    const struct guard_finding finding = {
        .rule = (enum guard_rule)(norm->rule + GUARD_RULE_CLIENT_RATE),
        .part = GUARD_PART_CLIENT,
        .location = GUARD_LOCATION_CLIENT,
        .name = norm->place_len > 0 ? gd_span(norm->place, norm->place_len)
                                    : gd_span(norm->template_text, norm->template_len),
        .detail = crossing->value,
        .expected = crossing->expected,
        .values = seconds[norm->tier],
        .clients = clients,
        .strength = crossing->strength,
    };
    verdict->finding_total++;
    if (weighted > verdict->score)
        verdict->score = weighted;
    uint32_t at = verdict->finding_count < GUARD_FINDINGS_MAX ? verdict->finding_count++
                                                              : GUARD_FINDINGS_MAX - 1;
    for (; at > 0 && verdict->findings[at - 1].strength < finding.strength; at--)
        verdict->findings[at] = verdict->findings[at - 1];
    verdict->findings[at] = finding;
}

static size_t put_text(char *out, size_t at, const char *text)
{
    size_t len = strlen(text);
    memcpy(out + at, text, len);
    return at + len;
}

static size_t put_octet(char *out, size_t at, uint8_t octet)
{
    if (octet >= 100)
        out[at++] = (char)('0' + octet / 100);
    if (octet >= 10)
        out[at++] = (char)('0' + octet / 10 % 10);
    out[at++] = (char)('0' + octet % 10);
    return at;
}

static size_t put_hex(char *out, size_t at, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    out[at++] = digits[byte >> 4];
    out[at++] = digits[byte & 15];
    return at;
}

/* "203.0.113.0/24", "2001:0db8:0000:4000::/56", "subject 0123456789abcdef" */
static struct guard_span put_client(char out[64], const struct guard_client *client)
{
    enum { PREFIX4 = 3, PREFIX6 = 7 };
    size_t at = 0;
    if (client->unit == GUARD_UNIT_SUBJECT) {
        at = put_text(out, at, "subject ");
        for (size_t i = 0; i < GUARD_CLIENT_SUBJECT && i < client->subject.len; i++)
            at = put_hex(out, at, client->subject.ptr[i]);
    } else if (client->address_len == 4) {
        for (size_t i = 0; i < PREFIX4; i++) {
            at = put_octet(out, at, client->address[i]);
            out[at++] = '.';
        }
        at = put_text(out, at, "0/24");
    } else {
        for (size_t i = 0; i <= PREFIX6; i++) {
            at = put_hex(out, at, i < PREFIX6 ? client->address[i] : 0);
            if (i % 2 == 1)
                out[at++] = ':';
        }
        at = put_text(out, at, ":/56");
    }
    return gd_span(out, at);
}

void gd_client_report_end(struct guard_clients *clients, struct guard_client_report *report,
                          enum guard_mode mode)
{
    struct guard_verdict *verdict = &report->verdict;
    struct guard_span who = put_client(clients->observed, &report->client);
    for (uint32_t i = 0; i < verdict->finding_count; i++)
        verdict->findings[i].observed = who;
    bool blocks = verdict->score >= verdict->threshold && !report->shared;
    verdict->decision = blocks ? GUARD_BLOCK : GUARD_ALERT;
    verdict->action = mode == GUARD_MODE_OBSERVE ? GUARD_PASS
                      : mode == GUARD_MODE_ALERT ? GUARD_ALERT
                                                 : verdict->decision;
}
