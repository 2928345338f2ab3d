/* SPDX-License-Identifier: Apache-2.0 */
/* guard_learn: the model of a pile names the bytes that it was learned from. */
#include "learn/model.h"
#include "learn/pile_state.h"

#include <guard/crypto.h>

enum guard_rc guard_learn(struct guard_model **out, struct guard_pile *pile,
                          const struct guard_learn_cfg *cfg, struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    *out = NULL;
    GUARD_TRY(guard_pile_encode(pile, &bytes, &len, err));
    struct guard_pile_stats stats;
    guard_pile_stats(pile, &stats);
    struct gd_model_source source = {
        .root = gd_pile_root(pile),
        .service = stats.service,
        .anonymous = stats.anonymous,
        .epochs = gd_pile_epochs(pile),
    };
    memcpy(source.key_id, stats.key_id, sizeof(source.key_id));
    source.keyed = gd_pile_keys(pile, source.literal_key, source.client_key);
    guard_digest(source.digest, gd_span(bytes, len));
    pile->alloc.free(pile->alloc.ctx, bytes);
    return gd_model_build(out, &source, cfg, err);
}
