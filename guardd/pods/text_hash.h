/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of texts one after the other, for tables whose keys come from outside: begun with a seed
 * of this guardd's own, so that nobody there chooses what collides. */
#ifndef GUARDD_PODS_TEXT_HASH_H
#define GUARDD_PODS_TEXT_HASH_H

#include <guard/crypto.h>

#include <string.h>

/* With its length, so that two don't run together. */
static inline uint64_t text_hash_add(uint64_t hash, struct guard_span text)
{
    uint64_t len = text.len;
    hash = guard_checksum(hash, (struct guard_span){(const uint8_t *)&len, sizeof(len)});
    return guard_checksum(hash, text);
}

static inline struct guard_span text_span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

#endif
