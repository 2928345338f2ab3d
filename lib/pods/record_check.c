/* SPDX-License-Identifier: Apache-2.0 */
/* See record.h. Sensors watch code that may be hostile: names that end in paths and tables, and
 * sums that others rely on, are held to their rules here. */
#include "pods/record.h"

#include "base/span.h"

static bool name_byte(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && byte != '/' && byte != '"' && byte != '\\';
}

static enum guard_rc check_name(struct guard_span name, size_t max, bool required, const char *what,
                                struct guard_err *err)
{
    if (name.len == 0)
        return required ? guard_fail(err, GUARD_E_RANGE, "%s is missing", what) : GUARD_OK;
    if (name.len > max)
        return guard_fail(err, GUARD_E_RANGE, "%s has %zu bytes, at most %zu are allowed", what,
                          name.len, max);
    for (size_t i = 0; i < name.len; i++) {
        if (!name_byte(name.ptr[i]))
            return guard_fail(err, GUARD_E_RANGE, "%s has byte 0x%02x, which names don't have",
                              what, (unsigned)name.ptr[i]);
    }
    if (gd_span_equal(name, GUARD_SPAN_LITERAL(".")) ||
        gd_span_equal(name, GUARD_SPAN_LITERAL("..")))
        return guard_fail(err, GUARD_E_RANGE, "%s is a name of a folder", what);
    return GUARD_OK;
}

static enum guard_rc check_identity(const struct guard_pod_identity *id, struct guard_err *err)
{
    GUARD_TRY(check_name(id->service, 128, false, "service", err));
    GUARD_TRY(check_name(id->name_space, GUARD_POD_NAME_MAX, true, "namespace", err));
    GUARD_TRY(check_name(id->workload, GUARD_POD_NAME_MAX, true, "workload", err));
    GUARD_TRY(check_name(id->pod, GUARD_POD_NAME_MAX, true, "pod", err));
    GUARD_TRY(check_name(id->container, GUARD_POD_NAME_MAX, true, "container", err));
    GUARD_TRY(check_name(id->image, GUARD_POD_IMAGE_MAX, false, "image", err));
    GUARD_TRY(check_name(id->template_hash, GUARD_POD_HASH_MAX, false, "template hash", err));
    GUARD_TRY(check_name(id->uid, GUARD_POD_UID_MAX, false, "uid", err));
    return check_name(id->node, GUARD_POD_NAME_MAX, false, "node", err);
}

static bool needs_text(enum guard_pod_kind kind)
{
    return kind != GUARD_POD_DESTINATION && kind != GUARD_POD_LISTEN;
}

static enum guard_rc check_feature(const struct guard_pod_feature *feature, uint32_t at,
                                   const struct guard_pod_record *record, struct guard_err *err)
{
    if (feature->kind >= GUARD_POD_KINDS)
        return guard_fail(err, GUARD_E_RANGE, "feature %u: there is no kind %u", at,
                          (unsigned)feature->kind);
    if ((record->blind >> feature->kind & 1) != 0)
        return guard_fail(err, GUARD_E_RANGE, "feature %u: the sensor says that it can't see %s",
                          at, guard_pod_kind_name(feature->kind));
    if ((feature->flags & ~(uint32_t)GUARD_POD_FLAGS_ALL) != 0)
        return guard_fail(err, GUARD_E_RANGE, "feature %u: unknown flags 0x%x", at, feature->flags);
    if (feature->text.len > GUARD_POD_TEXT_MAX || feature->detail.len > GUARD_POD_TEXT_MAX)
        return guard_fail(err, GUARD_E_RANGE, "feature %u: a text of more than %d bytes", at,
                          GUARD_POD_TEXT_MAX);
    if (needs_text(feature->kind) && feature->text.len == 0)
        return guard_fail(err, GUARD_E_RANGE, "feature %u: %s without a text", at,
                          guard_pod_kind_name(feature->kind));
    if (feature->address_len != 0 && feature->address_len != 4 && feature->address_len != 16)
        return guard_fail(err, GUARD_E_RANGE, "feature %u: an address of %u bytes", at,
                          (unsigned)feature->address_len);
    if (feature->kind == GUARD_POD_DESTINATION && feature->address_len == 0 &&
        feature->text.len == 0)
        return guard_fail(err, GUARD_E_RANGE, "feature %u: a destination without address and name",
                          at);
    if ((feature->flags & GUARD_POD_ANSWERED) != 0 &&
        (feature->kind != GUARD_POD_DESTINATION || feature->address_len == 0 ||
         feature->text.len == 0 || (feature->detail.len != 4 && feature->detail.len != 16)))
        return guard_fail(err, GUARD_E_RANGE, "feature %u: an answer without name or who said it",
                          at);
    if ((feature->bytes_out != 0 || feature->bytes_in != 0) &&
        feature->kind != GUARD_POD_DESTINATION)
        return guard_fail(err, GUARD_E_RANGE, "feature %u: bytes of what is no destination", at);
    if (feature->count == 0 || feature->first_ms > record->until_ms)
        return guard_fail(err, GUARD_E_RANGE, "feature %u: seen no time, or after the interval",
                          at);
    return check_name(feature->request, GUARD_POD_REQUEST_MAX, false, "a feature's request", err);
}

static enum guard_rc check_counters(const struct guard_pod_record *record, struct guard_err *err)
{
    uint64_t sum;
    if (__builtin_add_overflow(record->received, record->deduplicated, &sum) ||
        __builtin_add_overflow(sum, record->dropped, &sum) || sum != record->counted)
        return guard_fail(err, GUARD_E_RANGE,
                          "counted %llu isn't received %llu + deduplicated %llu + dropped %llu",
                          (unsigned long long)record->counted, (unsigned long long)record->received,
                          (unsigned long long)record->deduplicated,
                          (unsigned long long)record->dropped);
    return GUARD_OK;
}

static enum guard_rc check_rates(const struct guard_pod_record *record, struct guard_err *err)
{
    if (record->rates_known >> GUARD_POD_RATES != 0)
        return guard_fail(err, GUARD_E_RANGE, "unknown rates 0x%x", record->rates_known);
    for (uint32_t i = 0; i < GUARD_POD_RATES; i++) {
        if ((record->rates_known >> i & 1) == 0 && record->rates[i] != 0)
            return guard_fail(err, GUARD_E_RANGE, "%s is given but not known",
                              guard_pod_rate_name((enum guard_pod_rate)i));
    }
    return GUARD_OK;
}

enum guard_rc gd_pod_record_check(const struct guard_pod_record *record, struct guard_err *err)
{
    GUARD_TRY(check_identity(&record->id, err));
    if (record->source < GUARD_POD_SIDECAR || record->source >= GUARD_POD_SOURCES)
        return guard_fail(err, GUARD_E_RANGE, "there is no source %u", (unsigned)record->source);
    if (record->origin.sequence == 0)
        return guard_fail(err, GUARD_E_RANGE, "sequences start at 1");
    if (record->blind >> GUARD_POD_KINDS != 0)
        return guard_fail(err, GUARD_E_RANGE, "blind for unknown kinds 0x%x", record->blind);
    if (record->until_ms < record->from_ms ||
        record->until_ms - record->from_ms > GUARD_POD_INTERVAL_MAX_MS ||
        record->started_ms > record->until_ms)
        return guard_fail(err, GUARD_E_RANGE,
                          "the interval is no hour at most, or ends before the container started");
    GUARD_TRY(check_counters(record, err));
    GUARD_TRY(check_rates(record, err));
    if (record->feature_count > GUARD_POD_FEATURES_MAX)
        return guard_fail(err, GUARD_E_RANGE, "%u features, at most %d are allowed",
                          record->feature_count, GUARD_POD_FEATURES_MAX);
    for (uint32_t i = 0; i < record->feature_count; i++)
        GUARD_TRY(check_feature(&record->features[i], i, record, err));
    return GUARD_OK;
}
