/* SPDX-License-Identifier: Apache-2.0 */
/* A baseline: ModSecurity with the Core Rule Set at paranoia level 1 in a real nginx, to which the
 * requests are sent over loopback. */
#ifndef GUARD_CLI_EVAL_MODSECURITY_H
#define GUARD_CLI_EVAL_MODSECURITY_H

#include <guard/exchange.h>

struct eval_modsecurity;

#define EVAL_MODSECURITY_MODULE "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so"

/* module: the nginx module's file. NULL with the reason in why (an nginx, the module or the rules
 * aren't there, or it doesn't start). */
struct eval_modsecurity *eval_modsecurity_open(const char *module, char why[256]);
/* *block is set when it answers 403. What nginx refuses by itself (400, 414, ...) is no block and
 * is counted. False after a message when nginx is gone. */
bool eval_modsecurity_judge(struct eval_modsecurity *modsecurity,
                            const struct guard_exchange *exchange, bool *block);
/* Requests that nginx refused before any rule saw them. */
uint64_t eval_modsecurity_refused(const struct eval_modsecurity *modsecurity);
/* Ends nginx and removes its files. */
void eval_modsecurity_close(struct eval_modsecurity *modsecurity);

/* The configuration, for the report: what of the rule set's defaults was changed. */
const char *eval_modsecurity_policy(void);

#endif
