/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every record, whoever wrote it: asked before it is written and after it was read.
 */
#ifndef GD_PODS_RECORD_H
#define GD_PODS_RECORD_H

#include <guard/pod.h>

/* GUARD_E_RANGE, and err names the member. */
GUARD_MUST_USE enum guard_rc gd_pod_record_check(const struct guard_pod_record *record,
                                                 struct guard_err *err);

#endif
