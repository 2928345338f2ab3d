/* SPDX-License-Identifier: Apache-2.0 */
/* Made from the form that everything else here uses, which has milliseconds. */
#include "common/kubernetes/moment.h"

#include <stdio.h>
#include <string.h>

void kubernetes_moment(char out[KUBERNETES_MOMENT_CAP], uint64_t unix_ms, bool micro)
{
    char text[CLOCK_TEXT_MAX];
    if (!clock_text(text, (double)unix_ms))
        snprintf(text, sizeof(text), "1970-01-01T00:00:00.000Z");
    size_t whole = strcspn(text, ".Z");
    size_t digits = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    snprintf(out, KUBERNETES_MOMENT_CAP, "%.*s%s%.*s%sZ", (int)whole, text, micro ? "." : "",
             micro ? (int)digits : 0, text + whole + 1, micro ? &"000000"[digits] : "");
}
