/* SPDX-License-Identifier: Apache-2.0 */
/* {"id","verdict","score","findings":[{"part","location","name","rule","observed","expected","p"}]},
 * strongest finding first. */
#include "verdict_json.h"

#include "common/finding_json.h"

size_t verdict_json(struct guard_span id, const struct guard_verdict *verdict,
                    char out[VERDICT_JSON_MAX])
{
    /* Findings that would overflow the line are left out from the weakest on; the total tells. */
    for (uint32_t shown = verdict->finding_count;; shown--) {
        struct json_writer json;
        json_writer_init(&json, out, VERDICT_JSON_MAX);
        json_open(&json, NULL, '{');
        json_string(&json, "id", (struct guard_span){id.ptr, id.len < 1024 ? id.len : 1024});
        json_text(&json, "verdict", guard_decision_name(verdict->decision));
        json_number(&json, "score", (double)verdict->score / 100.0);
        json_open(&json, "findings", '[');
        for (uint32_t i = 0; i < shown; i++)
            finding_json(&json, &verdict->findings[i], FINDING_OF_VERDICT);
        json_close(&json, ']');
        if (verdict->finding_total > shown)
            json_integer(&json, "findings_total", verdict->finding_total);
        json_close(&json, '}');
        if (!json.overflow || shown == 0)
            return json.len;
    }
}
