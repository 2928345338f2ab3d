/* SPDX-License-Identifier: Apache-2.0 */
/* What other settings would have done to recorded traffic: how often each action was taken before
 * and after, to how many clients, and what changes, folded by its reason. */
#ifndef GUARD_CLI_WHATIF_REPORT_H
#define GUARD_CLI_WHATIF_REPORT_H

#include <guard/exchange.h>
#include <guard/txn.h>

#include <stdio.h>

/* The settings as they are, and as they might be. */
enum whatif_side { WHATIF_BEFORE, WHATIF_AFTER, WHATIF_SIDES };

/* One exchange under the settings of one side. */
struct whatif_judged {
    const struct guard_verdict *verdict;
    const struct guard_txn *txn;
};

struct whatif_report;

/* NULL without memory. About 1.3 MiB, whatever the traffic. */
struct whatif_report *whatif_report_new(void);
void whatif_report_free(struct whatif_report *report);
/* Counts an exchange. True when the two sides treat it differently. */
bool whatif_report_add(struct whatif_report *report, const struct guard_exchange *exchange,
                       const struct whatif_judged judged[WHATIF_SIDES]);
/* Of the two verdicts the one whose action is graver, which says why there is a change. */
enum whatif_side whatif_graver(const struct whatif_judged judged[WHATIF_SIDES]);

/* names: how people call each side's settings. top: how many reasons are listed. */
void whatif_report_text(struct whatif_report *report, const char *const names[WHATIF_SIDES],
                        unsigned top, FILE *out);
/* One object in a line: {"summary":{"exchanges","changed","before":{...},"after":{...}}}. */
void whatif_report_json(const struct whatif_report *report, FILE *out);

#endif
