/* SPDX-License-Identifier: Apache-2.0 */
/* How often a proposed patch is right, judged by the same library that the gate has. */
#include "common/propose/parts.h"

#include "common/judge.h"

#include <stdlib.h>
#include <string.h>

enum { WRITINGS = 4, STOPPED_BYTES_MAX = 1 << 20, STOPPED_EACH_MAX = 64 * 1024 };

struct testing {
    struct guard_policy *policy;
    struct guard_span id; /* of the patch */
    struct judge judge;
    struct proposal_rate *rate;
    struct proposal_stopped *stopped;
};

/* Whether it is the patch that blocks: a request may be refused for what it is by itself, too. */
static bool stops(const struct testing *testing, const struct guard_verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->finding_count && verdict->decision == GUARD_BLOCK; i++) {
        const struct guard_finding *finding = &verdict->findings[i];
        if (finding->rule == GUARD_RULE_PATCH && !finding->shadow &&
            finding->patch.len == testing->id.len &&
            memcmp(finding->patch.ptr, testing->id.ptr, testing->id.len) == 0)
            return true;
    }
    return false;
}

static enum guard_rc judge_one(struct testing *testing, const struct guard_exchange *exchange,
                               struct guard_err *err)
{
    const struct guard_txn_cfg cfg = {.policy = testing->policy,
                                      .service = GUARD_SPAN_LITERAL("patch")};
    struct guard_txn *txn = NULL;
    const struct guard_verdict *verdict = judge_play(&testing->judge, &cfg, exchange, &txn);
    if (verdict == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    testing->rate->of++;
    testing->rate->hits += stops(testing, verdict);
    return GUARD_OK;
}

static void add(struct proposal_stopped *stopped, struct guard_span text)
{
    size_t len = text.len < STOPPED_EACH_MAX ? text.len : STOPPED_EACH_MAX;
    if (stopped->len + len + 1 > STOPPED_BYTES_MAX)
        return;
    if (len > 0)
        memcpy(stopped->text + stopped->len, text.ptr, len);
    stopped->len += len;
    stopped->text[stopped->len++] = '\n';
}

/* What a patch is narrowed by: as it was sent. */
static void keep(struct proposal_stopped *stopped, const struct guard_exchange *exchange)
{
    if (stopped->text == NULL)
        stopped->text = malloc(STOPPED_BYTES_MAX);
    if (stopped->text == NULL)
        return; /* it isn't narrowed then */
    add(stopped, exchange->target);
    for (uint32_t i = 0; i < exchange->header_count; i++)
        add(stopped, exchange->headers[i].value);
    add(stopped, exchange->body);
}

static enum guard_rc take(void *ctx, const struct guard_exchange *exchange, struct guard_err *err)
{
    struct testing *testing = ctx;
    uint64_t before = testing->rate->hits;
    GUARD_TRY(judge_one(testing, exchange, err));
    if (testing->rate->hits > before)
        keep(testing->stopped, exchange);
    return GUARD_OK;
}

static bool is_letter(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_hex(uint8_t byte)
{
    return is_digit(byte) || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

/* Which bytes of a value a writing encodes: letters, what isn't, every other one, all. */
static bool chosen(int writing, size_t at, uint8_t byte)
{
    bool plain = is_letter(byte) || is_digit(byte);
    if (byte == '+' || byte == '%')
        return false;
    return writing == 0   ? is_letter(byte)
           : writing == 1 ? !plain && strchr("-._~", byte) == NULL
           : writing == 2 ? at % 2 == 0
                          : true;
}

/* Values of name=value&name=value in another coding. Three bytes for each in room. */
static struct guard_span rewrite(struct guard_span text, size_t begin, int writing, uint8_t *room)
{
    const char *digits = writing % 2 == 0 ? "0123456789abcdef" : "0123456789ABCDEF";
    size_t len = 0;
    bool value = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        bool escape =
            byte == '%' && i + 2 < text.len && is_hex(text.ptr[i + 1]) && is_hex(text.ptr[i + 2]);
        if (i < begin || byte == '&' || (byte == '=' && !value) || byte == '#') {
            value = i >= begin && (byte == '=' || (value && byte != '&'));
            room[len++] = byte;
        } else if (escape) {
            memcpy(room + len, text.ptr + i, 3);
            len += 3;
            i += 2;
        } else if (value && chosen(writing, i, byte)) {
            room[len++] = '%';
            room[len++] = (uint8_t)digits[byte >> 4];
            room[len++] = (uint8_t)digits[byte & 15];
        } else {
            room[len++] = byte;
        }
    }
    return (struct guard_span){room, len};
}

static bool is_form(const struct guard_exchange *exchange)
{
    static const char form[] = "application/x-www-form-urlencoded";
    for (uint32_t i = 0; i < exchange->header_count; i++) {
        struct guard_span name = exchange->headers[i].name;
        struct guard_span value = exchange->headers[i].value;
        bool type =
            name.len == 12 && is_letter(name.ptr[0]) && memcmp(name.ptr + 1, "ontent-", 7) == 0;
        if (type && value.len >= sizeof(form) - 1 && memcmp(value.ptr, form, sizeof(form) - 1) == 0)
            return true;
    }
    return false;
}

static enum guard_rc judge_writings(struct testing *testing, const struct guard_exchange *exchange,
                                    struct guard_err *err)
{
    const uint8_t *mark = memchr(exchange->target.ptr, '?', exchange->target.len);
    size_t query = mark != NULL ? (size_t)(mark - exchange->target.ptr) + 1 : exchange->target.len;
    uint8_t *room = malloc(3 * (exchange->target.len + exchange->body.len) + 1);
    enum guard_rc rc = room != NULL ? GUARD_OK : guard_fail(err, GUARD_E_NOMEM, "no memory");
    for (int i = 0; i < WRITINGS && rc == GUARD_OK; i++) {
        struct guard_exchange other = *exchange;
        other.target = rewrite(exchange->target, query, i, room);
        if (is_form(exchange))
            other.body = rewrite(exchange->body, 0, i, room + 3 * exchange->target.len);
        bool same =
            other.target.len == exchange->target.len && other.body.len == exchange->body.len;
        if (!same)
            rc = judge_one(testing, &other, err);
    }
    free(room);
    return rc;
}

static enum guard_rc judge_exploit(struct testing *testing, const struct exploit *exploit,
                                   const struct generalised *made, struct proposal_rates *out,
                                   struct guard_err *err)
{
    for (uint32_t i = 0; i < exploit->request_count; i++) {
        struct guard_header headers[EXPLOIT_HEADERS_MAX];
        struct guard_exchange exchange;
        if (made->steps[i] != GENERALISE_STEP_KEPT)
            continue;
        exploit_exchange(&exploit->requests[i], headers, &exchange);
        testing->rate = &out->exploit;
        GUARD_TRY(judge_one(testing, &exchange, err));
        testing->rate = &out->rewritten;
        GUARD_TRY(judge_writings(testing, &exchange, err));
    }
    return GUARD_OK;
}

static enum guard_rc judge_all(struct testing *testing, const struct exploit *exploit,
                               const struct generalised *made, const struct proposal_benign *benign,
                               struct proposal_rates *out, struct guard_err *err)
{
    GUARD_TRY(judge_exploit(testing, exploit, made, out, err));
    testing->rate = &out->benign;
    return benign->each != NULL ? benign->each(benign->ctx, take, testing, err) : GUARD_OK;
}

enum guard_rc proposal_measure(const struct exploit *exploit, const struct generalised *made,
                               const struct proposal_benign *benign, struct proposal_rates *out,
                               struct proposal_stopped *stopped, struct guard_err *err)
{
    static const struct judge_options options = {.likeness = true, .signatures = true};
    struct guard_guardian guardian;
    struct guard_patch patch = made->patch;
    struct testing testing = {.policy = NULL, .id = patch.id, .stopped = stopped};
    uint8_t *bytes = NULL;
    size_t len = 0;
    *out = (struct proposal_rates){.exploit = {0, 0}};
    guard_guardian_default(&guardian, GUARD_SPAN_LITERAL("patch"));
    patch.mode = GUARD_PATCH_ENFORCE;
    patch.action = GUARD_PATCH_BLOCK;
    guardian.patches = &patch;
    guardian.patch_count = 1;
    judge_guardian(&guardian);
    if (judge_open(&testing.judge) != GUARD_OK)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    enum guard_rc rc = judge_compile(&testing.policy, &guardian, NULL, &options, &bytes, &len, err);
    if (rc == GUARD_OK)
        rc = judge_all(&testing, exploit, made, benign, out, err);
    judge_close(&testing.judge);
    if (testing.policy != NULL)
        guard_policy_unref(testing.policy);
    free(bytes);
    return rc;
}
