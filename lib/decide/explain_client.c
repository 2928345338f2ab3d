/* SPDX-License-Identifier: Apache-2.0 */
/* What a client did, beside what all others do: `client 203.0.113.0/24: 412 different values of
 * the path /orders/{int} in 10 min (all others of 3,120 clients: at most 9; rate <= 2e-6)`. */
#include "decide/decide.h"
#include "decide/line.h"

enum { RULES = GUARD_RULE_CLIENT_VERDICT - GUARD_RULE_CLIENT_RATE + 1, MINUTE = 60, HOUR = 3600 };

static const char *const things[RULES][2] = {
    {" request", " requests"},
    {" failed request", " failed requests"},
    {" KiB of responses", " KiB of responses"},
    {" unknown path", " different unknown paths"},
    {" unknown step from endpoint to endpoint",
     " different unknown steps from endpoint to endpoint"},
    {" value", " different values"},
    {" refused login", " refused logins"},
    {" refused value", " different refused values"},
    {"", ""},
};

static bool of_client(const struct guard_finding *finding)
{
    return finding->rule >= GUARD_RULE_CLIENT_RATE && finding->rule <= GUARD_RULE_CLIENT_VERDICT;
}

/* Such a verdict is named by the rule that it was made by. */
static bool by_person(const struct guard_finding *finding)
{
    const char *manual = guard_rule_name(GUARD_RULE_CLIENT_MANUAL);
    return finding->name.len == strlen(manual) &&
           memcmp(finding->name.ptr, manual, finding->name.len) == 0;
}

static void put_window(struct gd_line *line, uint32_t seconds)
{
    bool hours = seconds >= HOUR;
    gd_line_string(line, " in ");
    gd_line_number(line, seconds / (hours ? HOUR : MINUTE));
    gd_line_string(line, hours ? " h" : " min");
}

static void put_done(struct gd_line *line, const struct guard_finding *finding)
{
    const char *const *thing = things[finding->rule - GUARD_RULE_CLIENT_RATE];
    gd_line_number(line, finding->detail);
    gd_line_string(line, thing[finding->detail != 1]);
    if (finding->name.len > 0) {
        gd_line_string(line, finding->name.ptr[0] == '/' ? " at " : " of ");
        gd_line_text(line, finding->name);
    }
    put_window(line, finding->values);
}

bool gd_explain_client(struct gd_line *line, const struct guard_finding *finding)
{
    if (!of_client(finding))
        return false;
    gd_line_string(line, finding->observed.len > 0 ? "client " : "client");
    gd_line_text(line, finding->observed);
    if (finding->rule == GUARD_RULE_CLIENT_VERDICT) {
        if (by_person(finding)) {
            gd_line_string(line, ": a person blocked it for a while; ");
        } else {
            gd_line_string(line, ": its behaviour (");
            gd_line_text(line, finding->name);
            gd_line_string(line, ") was too far from that of others; ");
        }
        gd_line_number(line, finding->expected);
        gd_line_string(line, " s left");
        return true;
    }
    gd_line_string(line, ": ");
    put_done(line, finding);
    gd_line_string(line, " (of ");
    gd_line_number(line, finding->clients);
    gd_line_string(line, " clients the most extreme others: ");
    gd_line_number(line, finding->expected);
    gd_line_string(line, "; rate <= ");
    gd_line_rate(line, finding->strength);
    gd_line_string(line, ")");
    return true;
}

bool gd_explain_client_observed(struct gd_line *line, const struct guard_finding *finding)
{
    if (!of_client(finding))
        return false;
    if (finding->rule == GUARD_RULE_CLIENT_VERDICT)
        gd_line_text(line, finding->name);
    else
        put_done(line, finding);
    return true;
}

bool gd_explain_client_expected(struct gd_line *line, const struct guard_finding *finding)
{
    if (!of_client(finding))
        return false;
    if (finding->rule == GUARD_RULE_CLIENT_VERDICT) {
        gd_line_string(line, "no verdict on the client");
        return true;
    }
    gd_line_string(line, "at most ");
    gd_line_number(line, finding->expected);
    put_window(line, finding->values);
    return true;
}
