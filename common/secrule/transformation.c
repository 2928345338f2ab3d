/* SPDX-License-Identifier: Apache-2.0 */
/* See transformation.h. */
#include "common/secrule/transformation.h"

enum effect {
    NONE,
    DECODE,
    DECODE_PARTLY, /* some of what it decodes isn't decoded by patches */
    LOWER,
    UPPER,
    COMPRESS,
    REMOVE,
    TRIM,
    TRIM_LEFT,
    TRIM_RIGHT,
    NORMALIZE,
    LENGTH,
    REFUSED,
};

static const struct {
    const char *name;
    enum effect effect;
} known[] = {
    {"none", NONE},
    {"lowercase", LOWER},
    {"uppercase", UPPER},
    {"urlDecode", DECODE},
    {"urlDecodeUni", DECODE},
    {"htmlEntityDecode", DECODE},
    {"removeNulls", DECODE},
    {"jsDecode", DECODE_PARTLY},
    {"escapeSeqDecode", DECODE_PARTLY},
    {"cssDecode", DECODE_PARTLY},
    {"utf8toUnicode", DECODE_PARTLY},
    {"compressWhitespace", COMPRESS},
    {"removeWhitespace", REMOVE},
    {"trim", TRIM},
    {"trimLeft", TRIM_LEFT},
    {"trimRight", TRIM_RIGHT},
    {"normalizePath", NORMALIZE},
    {"normalisePath", NORMALIZE},
    {"normalizePathWin", NORMALIZE},
    {"normalisePathWin", NORMALIZE},
    {"length", LENGTH},
};

static enum effect effect_of(struct guard_span name)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (secrule_is(name, known[i].name))
            return known[i].effect;
    }
    return REFUSED;
}

static void apply(struct secrule_transformations *out, enum effect effect)
{
    switch (effect) {
    case NONE:
        *out = (struct secrule_transformations){.at = out->at};
        break;
    case DECODE:
    case DECODE_PARTLY:
        out->decoded = true;
        break;
    case LOWER:
    case UPPER:
        out->lower = effect == LOWER;
        out->upper = effect == UPPER;
        break;
    case COMPRESS:
        if (out->spaces == SECRULE_SPACES_KEPT)
            out->spaces = SECRULE_SPACES_COMPRESSED;
        break;
    case REMOVE:
        out->spaces = SECRULE_SPACES_REMOVED;
        break;
    case TRIM:
    case TRIM_LEFT:
    case TRIM_RIGHT:
        out->trim_begin = out->trim_begin || effect != TRIM_RIGHT;
        out->trim_end = out->trim_end || effect != TRIM_LEFT;
        break;
    case NORMALIZE:
        out->normalized = true;
        break;
    case LENGTH:
        out->length = true;
        break;
    case REFUSED:
        break;
    }
}

/* Whether t:none comes later and takes it back. */
static bool taken_back(const struct secrule_actions *actions, uint32_t index)
{
    for (uint32_t i = index + 1; i < actions->count; i++) {
        if (secrule_is(secrule_span(actions->list[i].name), "t") &&
            secrule_is(secrule_span(actions->list[i].value), "none"))
            return true;
    }
    return false;
}

static bool refuse(struct secrule_builder *builder, struct secrule_text name)
{
    int len = (int)(name.len < 60 ? name.len : 60);
    return secrule_refuse(builder, name.at[0], SECRULE_CAUSE_TRANSFORM,
                          "t:%.*s can't be said of a patch", len, (const char *)name.ptr);
}

bool secrule_transformations_of(struct secrule_builder *builder,
                                const struct secrule_actions *actions,
                                struct secrule_transformations *out)
{
    bool good = true;
    *out = (struct secrule_transformations){.at = 0};
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct secrule_action *action = &actions->list[i];
        if (!secrule_is(secrule_span(action->name), "t") || taken_back(actions, i))
            continue;
        enum effect effect = effect_of(secrule_span(action->value));
        out->at = action->name.at[0];
        if (effect == REFUSED || (out->length && effect != NONE))
            good = refuse(builder, action->value.len > 0 ? action->value : action->name);
        apply(out, effect);
        if (effect == DECODE_PARTLY)
            secrule_note(builder, out->at, SECRULE_NARROWER, SECRULE_CAUSE_MEANING,
                         "t:%.*s: of what it decodes, patches decode \\xHH, \\uHHHH and %%uHHHH",
                         (int)(action->value.len < 60 ? action->value.len : 60),
                         (const char *)action->value.ptr);
    }
    return good && builder_good(builder);
}
