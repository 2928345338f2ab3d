/* SPDX-License-Identifier: Apache-2.0 */
/* Reads times by position; the days of a date are counted by the rule of the Gregorian calendar. */
#include "common/traffic/timestamp.h"

#include <string.h>

struct moment {
    struct guard_span text;
    size_t at;
    uint32_t year;
    uint32_t month;
    uint32_t day;
    uint32_t hour;
    uint32_t minute;
    uint32_t second;
    uint32_t milliseconds;
    int32_t offset_minutes;
};

static bool take(struct moment *moment, char due)
{
    if (moment->at >= moment->text.len || moment->text.ptr[moment->at] != (uint8_t)due)
        return false;
    moment->at++;
    return true;
}

static bool digits(struct moment *moment, uint32_t count, uint32_t max, uint32_t *out)
{
    uint32_t value = 0;
    if (moment->text.len - moment->at < count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t c = moment->text.ptr[moment->at++];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (uint32_t)(c - '0');
    }
    *out = value;
    return value <= max;
}

static bool clock_of_day(struct moment *moment)
{
    return digits(moment, 2, 23, &moment->hour) && take(moment, ':') &&
           digits(moment, 2, 59, &moment->minute) && take(moment, ':') &&
           digits(moment, 2, 60, &moment->second);
}

/* "+0100" or "+01:00" */
static bool zone(struct moment *moment)
{
    uint32_t hours;
    uint32_t minutes;
    bool west = take(moment, '-');
    if ((!west && !take(moment, '+')) || !digits(moment, 2, 23, &hours))
        return false;
    (void)take(moment, ':');
    if (!digits(moment, 2, 59, &minutes))
        return false;
    int32_t offset = (int32_t)(hours * 60 + minutes);
    moment->offset_minutes = west ? -offset : offset;
    return true;
}

static bool finish(const struct moment *moment, uint64_t *out_ms)
{
    if (moment->at != moment->text.len || moment->year < 1970 || moment->month < 1 ||
        moment->month > 12 || moment->day < 1 || moment->day > 31)
        return false;
    /* A year that begins in March has its leap day at its end. */
    uint32_t year = moment->year - (moment->month <= 2);
    uint32_t month = (moment->month + 9) % 12;
    uint64_t days = (uint64_t)year * 365 + year / 4 - year / 100 + year / 400 +
                    (month * 153 + 2) / 5 + moment->day - 1 - 719468;
    int64_t seconds =
        (int64_t)(days * 86400 + moment->hour * 3600 + moment->minute * 60 + moment->second) -
        moment->offset_minutes * 60;
    if (seconds < 0)
        return false;
    *out_ms = (uint64_t)seconds * 1000 + moment->milliseconds;
    return true;
}

static void fraction(struct moment *moment)
{
    uint32_t scale = 100;
    while (moment->at < moment->text.len && moment->text.ptr[moment->at] >= '0' &&
           moment->text.ptr[moment->at] <= '9') {
        moment->milliseconds += scale * (uint32_t)(moment->text.ptr[moment->at++] - '0');
        scale /= 10;
    }
}

bool timestamp_iso8601(struct guard_span text, uint64_t *out_ms)
{
    struct moment moment = {.text = text};
    if (!digits(&moment, 4, 9999, &moment.year) || !take(&moment, '-') ||
        !digits(&moment, 2, 12, &moment.month) || !take(&moment, '-') ||
        !digits(&moment, 2, 31, &moment.day) || (!take(&moment, 'T') && !take(&moment, ' ')) ||
        !clock_of_day(&moment))
        return false;
    if (take(&moment, '.') || take(&moment, ','))
        fraction(&moment);
    if (moment.at < text.len && !take(&moment, 'Z') && !zone(&moment))
        return false;
    return finish(&moment, out_ms);
}

static bool month_name(struct moment *moment)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (moment->text.len - moment->at < 3)
        return false;
    for (uint32_t i = 0; i < 12; i++) {
        if (memcmp(moment->text.ptr + moment->at, names + (size_t)i * 3, 3) == 0) {
            moment->month = i + 1;
            moment->at += 3;
            return true;
        }
    }
    return false;
}

bool timestamp_log(struct guard_span text, uint64_t *out_ms)
{
    struct moment moment = {.text = text};
    return digits(&moment, 2, 31, &moment.day) && take(&moment, '/') && month_name(&moment) &&
           take(&moment, '/') && digits(&moment, 4, 9999, &moment.year) && take(&moment, ':') &&
           clock_of_day(&moment) && take(&moment, ' ') && zone(&moment) && finish(&moment, out_ms);
}

bool timestamp_thousandths(struct guard_span text, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value))
            return false;
    }
    if (i == 0 || __builtin_mul_overflow(value, (uint64_t)1000, &value))
        return false;
    if (i < text.len && text.ptr[i] == '.') {
        uint64_t scale = 100;
        for (i++; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
            value += scale * (uint64_t)(text.ptr[i] - '0');
            scale /= 10;
        }
    }
    *out = value;
    return i == text.len;
}
