/* SPDX-License-Identifier: Apache-2.0 */
/* What benign requests to the endpoint never hold narrows what reads like an attack. */
#ifndef GUARD_COMMON_GENERALISE_NARROW_H
#define GUARD_COMMON_GENERALISE_NARROW_H

#include "common/generalise/evidence.h"

/* Makes the evidence ask for one of the value's own words as well, of those that no benign text
 * holds (generalise_known). Left as it is when there are none, or nothing benign is known. */
void narrow(struct work *work, const struct message_value *value, struct evidence *evidence);

#endif
