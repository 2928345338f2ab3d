/* SPDX-License-Identifier: Apache-2.0 */
/* One name for whom a call goes to, however it is spelled: what is a known destination must not be
 * new because of a capital letter, and what is new must never look known. */
#ifndef GD_PROFILE_DESTINATION_H
#define GD_PROFILE_DESTINATION_H

#include "profile/profile.h"

/* authority is a Host header or that of an absolute target, from anybody. Lower case, without user
 * information, one trailing dot, leading zeros of the port, and the port itself when it is the
 * scheme's own (tls: 443, else 80); an IPv6 address in its shortest form (RFC 5952, in hexadecimal
 * throughout). What is none of these stays as it is; nothing at all is "-". Longer names than
 * GD_NAME_MAX are their first 48 bytes, '~' and 15 hexadecimal digits of their digest. The result
 * is room's or static. */
struct guard_span gd_destination(struct guard_span authority, bool tls, uint8_t room[GD_NAME_MAX]);

#endif
