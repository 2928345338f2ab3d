/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask for through guardd: that a stopped workload is answered for again. Each is taken
 * once, if the responder's own file lets it. */
#ifndef RESPONDER_RESUMES_H
#define RESPONDER_RESUMES_H

#include "response.h"

/* Looks at guardd's pods/resumes: takes or refuses each that lies there. */
void resumes_look(struct responder *responder, uint64_t now_ms);

#endif
