/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a value and as a name: no crash, nothing read outside, classes and degree agree, and
 * the case of letters changes neither, but in base64 and magic bytes. */
#include "base/span.h"
#include "detect/likeness.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void agree(const struct gd_likeness *likeness)
{
    uint32_t own = (uint32_t)guard_construct_likeness(likeness->construct);
    if ((likeness->classes == 0) != (likeness->degree == 0) ||
        likeness->classes >> GUARD_LIKENESS_COUNT != 0 || likeness->degree > GUARD_LIKENESS_MAX ||
        (likeness->classes != 0 && !(likeness->classes >> own & 1)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t upper[1 << 14];
    struct gd_likeness likeness, other;
    gd_likeness_of_name(gd_span(data, size), 0, &likeness);
    agree(&likeness);
    gd_likeness_of(gd_span(data, size), &likeness);
    agree(&likeness);
    /* A blank at the end: not base64. */
    if (size == 0 || size > sizeof(upper) || memchr(data, ' ', size) == NULL ||
        memchr(data, '\\', size) != NULL)
        return 0;
    for (size_t i = 0; i < size; i++)
        upper[i] = data[i] >= 'a' && data[i] <= 'z' ? (uint8_t)(data[i] - 32) : data[i];
    gd_likeness_of(gd_span(upper, size), &other);
    const uint32_t bytes = 1u << GUARD_LIKENESS_OBJECT;
    if ((likeness.classes & ~bytes) != (other.classes & ~bytes))
        abort();
    return 0;
}
