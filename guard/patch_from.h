/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `guard patch from`: what the service is known to get, and how often the proposed
 * patch is right. */
#ifndef GUARD_CLI_PATCH_FROM_H
#define GUARD_CLI_PATCH_FROM_H

#include "command.h"
#include "common/generalise/generalise.h"

/* How often a patch hit. */
struct from_rate {
    uint64_t hits;
    uint64_t of;
};
struct from_rates {
    struct from_rate exploit;
    struct from_rate rewritten; /* the exploit in other codings */
    struct from_rate benign;
    bool benign_asked;
};

/* Benign requests that the patch stopped, one behind the other, as far as there is room. Zeroed:
 * none; the caller frees text. */
struct from_stopped {
    uint8_t *text;
    size_t len;
};

/* Enforces the patch alone, and holds the exploit, other writings of it and the traffic (of the
 * option with that index, which may be given several times) against it. Adds to stopped. False
 * after a message. */
bool patch_from_test(const struct exploit *exploit, const struct generalised *made,
                     const struct arguments *arguments, int traffic_option, struct from_rates *out,
                     struct from_stopped *stopped);

/* What was learned of a service, from its Guardian and pile; out is filled for generalise. The
 * exploit must outlive it. False after a message. */
struct from_known;
bool patch_from_known(const char *guardian_path, const char *pile_path,
                      const struct exploit *exploit, struct from_known **known,
                      struct generalise_known *out);
void patch_from_forget(struct from_known *known);

#endif
