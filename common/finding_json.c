/* SPDX-License-Identifier: Apache-2.0 */
/* See finding_json.h. */
#include "common/finding_json.h"

#include <guard/likeness.h>

#include <math.h>

enum { TEXT_MAX = 256 };

void finding_json(struct json_writer *json, const struct guard_finding *finding,
                  enum finding_form form)
{
    char observed[TEXT_MAX];
    char expected[TEXT_MAX];
    bool alert = form == FINDING_OF_ALERT;
    double p = pow(10.0, -(double)finding->strength / 100.0);
    guard_finding_texts(finding, observed, sizeof(observed), expected, sizeof(expected));
    json_open(json, NULL, '{');
    json_text(json, "part", guard_part_name(finding->part));
    json_text(json, "location", guard_location_name(finding->location));
    json_string(json, "name", finding->name);
    json_text(json, "rule", guard_rule_name(finding->rule));
    json_text(json, "observed", observed);
    json_text(json, "expected", expected);
    if (finding->patch.len > 0) {
        json_string(json, "patch", finding->patch);
        json_bool(json, "shadow", finding->shadow);
    }
    if (finding->exception.len > 0)
        json_string(json, "exception", finding->exception);
    if (finding->rule == GUARD_RULE_LIKENESS) {
        json_open(json, "likeness", '{');
        json_text(json, "class", guard_likeness_name((enum guard_likeness)finding->expected));
        json_number(json, "degree",
                    guard_construct_degree((enum guard_construct)finding->detail) / 100.0);
        json_close(json, '}');
    }
    json_number(json, "p", finding->configured && !alert ? 0.0 : p);
    if (finding->configured || alert)
        json_bool(json, "configured", finding->configured);
    json_close(json, '}');
}
