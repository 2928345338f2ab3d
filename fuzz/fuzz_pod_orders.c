/* SPDX-License-Identifier: Apache-2.0 */
/* Orders to the responder and its reports: whatever the bytes, what is read can be written and is
 * read the same again. The first byte says which. */
#include "common/pods/orders.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void run_order(struct guard_span input)
{
    static struct pod_order order, again;
    static char text[POD_ORDER_BYTES_MAX];
    struct guard_err err;
    size_t len = 0;
    if (pod_order_read(&order, input, &err) != GUARD_OK) {
        check(order.id[0] == '\0');
        return;
    }
    check(pod_order_write(&order, text, sizeof(text), &len, &err) == GUARD_OK);
    check(pod_order_read(&again, (struct guard_span){(uint8_t *)text, len}, &err) == GUARD_OK);
    check(memcmp(&order, &again, sizeof(order)) == 0);
}

static void run_report(struct guard_span input)
{
    struct pod_report_line line, again;
    char text[POD_REPORT_LINE_MAX];
    struct guard_err err;
    size_t len = 0;
    if (pod_report_read(&line, input, &err) != GUARD_OK)
        return;
    check(pod_report_write(&line, text, sizeof(text), &len, &err) == GUARD_OK);
    check(pod_report_read(&again, (struct guard_span){(uint8_t *)text, len}, &err) == GUARD_OK);
    check(line.ended == again.ended && line.step == again.step && line.end == again.end &&
          line.outcome == again.outcome && line.at_ms == again.at_ms &&
          strcmp(line.detail, again.detail) == 0);
}

static void run_text(struct guard_span input)
{
    struct pod_report_line line = {.id = "a"};
    char text[POD_REPORT_LINE_MAX];
    struct guard_err err;
    size_t len = 0;
    pod_order_text(line.detail, sizeof(line.detail), input);
    check(pod_report_write(&line, text, sizeof(text), &len, &err) == GUARD_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const runs[])(struct guard_span) = {run_order, run_report, run_text};
    if (size > 0)
        runs[data[0] % 3]((struct guard_span){data + 1, size - 1});
    return 0;
}
