/* SPDX-License-Identifier: Apache-2.0 */
/* The folders that guardd and the responder share: orders come in, reports go out. Who may write
 * there has fewer rights than this program, so no link is followed and no file of others is written
 * to. */
#ifndef RESPONDER_MAILBOX_H
#define RESPONDER_MAILBOX_H

#include "common/pods/orders.h"

enum { MAILBOX_LOOK_MAX = 2 * POD_ORDERS_MAX };

struct mailbox {
    int orders; /* directories */
    int reports;
};

typedef char order_id[POD_ORDER_ID_MAX + 1];

/* state: guardd's directory. GUARD_E_STATE: guardd hasn't made its folders yet; GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc mailbox_open(struct mailbox *out, const char *state,
                                          struct guard_err *err);
void mailbox_close(struct mailbox *mailbox);
/* Ids of orders that lie there, in their order, of the first MAILBOX_LOOK_MAX entries. */
uint32_t mailbox_list(const struct mailbox *mailbox, order_id out[POD_ORDERS_MAX]);
/* As pod_order_read; GUARD_E_IO; GUARD_E_FOREIGN: another id than the file's name. */
GUARD_MUST_USE enum guard_rc mailbox_read(const struct mailbox *mailbox, const char *id,
                                          struct pod_order *out, struct guard_err *err);
void mailbox_remove(const struct mailbox *mailbox, const char *id);
bool mailbox_has_report(const struct mailbox *mailbox, const char *id);
/* Adds a line to the order's report, unless it is the last one already. */
GUARD_MUST_USE enum guard_rc mailbox_report(const struct mailbox *mailbox,
                                            const struct pod_report_line *line,
                                            struct guard_err *err);

#endif
