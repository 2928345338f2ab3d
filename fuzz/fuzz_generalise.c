/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever an exploit is, the patch made of it is one that documents and compilers take, and is
 * never more than a shadow. */
#include "common/file.h"
#include "common/generalise/generalise.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_alloc alloc = heap_alloc();
    struct guard_err err;
    struct exploit exploit;
    struct generalised made;
    struct guard_span bytes = {data, size};
    if (exploit_read(&exploit, "f", bytes, EXPLOIT_AUTO, &alloc, &err) == GUARD_OK) {
        if (generalise(&made, &exploit, NULL, &alloc, &err) == GUARD_OK &&
            made.narrowness != GENERALISE_NOTHING &&
            (made.patch.mode != GUARD_PATCH_SHADOW ||
             guard_patch_check(&made.patch, &err) != GUARD_OK))
            abort();
        generalise_fini(&made);
    }
    exploit_fini(&exploit);
    return 0;
}
