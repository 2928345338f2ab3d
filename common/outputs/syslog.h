/* SPDX-License-Identifier: Apache-2.0 */
/* Syslog: messages as RFC 5424 has them with structured data, and sending them without waiting over
 * a Unix socket, UDP, or TCP with octets counted (RFC 6587). */
#ifndef GUARD_COMMON_OUTPUTS_SYSLOG_H
#define GUARD_COMMON_OUTPUTS_SYSLOG_H

#include "common/document.h"

enum {
    SYSLOG_LOCAL0 = 16,
    SYSLOG_MESSAGE_MAX = 8192, /* what receivers take; longer texts are cut */
    SYSLOG_HOST_MAX = 255,
    SYSLOG_ADDRESS_MAX = 512,
};

struct syslog_sender;

/* "local0" and so on; false when there is no such facility. */
bool syslog_facility(const char *name, uint32_t *out);
bool syslog_address_valid(const char *address);
/* Writes a message without a line's end; returns its length. host: this machine's name. */
size_t syslog_message(char out[SYSLOG_MESSAGE_MAX], const struct document_node *alert,
                      uint32_t facility, const char *host, long pid);

/* address is copied. GUARD_E_RANGE, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc syslog_sender_new(struct syslog_sender **out, const char *address,
                                               struct guard_err *err);
void syslog_sender_free(struct syslog_sender *sender);
/* Messages as "LENGTH MESSAGE", one behind the other; kept until they are sent. The ones before
 * must be. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc syslog_sender_put(struct syslog_sender *sender,
                                               struct guard_span frames, struct guard_err *err);
/* Goes on sending without waiting. 1: the other side's kernel has all (over UDP: ours has), 0: not
 * yet, -1: failed, with the reason in err; what was put is given up. */
int syslog_sender_run(struct syslog_sender *sender, struct guard_err *err);
/* Gives up what was put, with the connection. */
void syslog_sender_reset(struct syslog_sender *sender);

#endif
