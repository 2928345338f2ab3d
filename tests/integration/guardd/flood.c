/* SPDX-License-Identifier: Apache-2.0 */
/* Writes records that are none into a ring of the folder, without end and as fast as it can. */
#include "common/ring.h"

int main(int argc, char **argv)
{
    struct ring_writer *ring;
    struct guard_err err;
    if (argc != 2 ||
        ring_writer_open(&ring, argv[1], "flood", ".ring", (size_t)64 << 20, 1, &err) != GUARD_OK)
        return 1;
    for (;;)
        ring_writer_put(ring, (struct guard_span){(const uint8_t *)"x", 1});
}
