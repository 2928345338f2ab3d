/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing here moves on before the other side has answered: whoever calls keeps the batch. */
#include "common/outputs/sender.h"

#include "common/file.h"
#include "common/hmac.h"
#include "common/http_client.h"
#include "common/outputs/syslog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 * 1024, HEADER_CAP = 160, FILES_OLDER = 4 };

struct output_sender {
    const struct output_cfg *cfg;
    struct http_client *client;
    struct syslog_sender *syslog;
    bool over;         /* of HTTP: the answer came */
    uint64_t begin_ms; /* of syslog, monotonic */
    struct sender_end end;
};

enum guard_rc output_sender_new(struct output_sender **out, const struct output_cfg *cfg,
                                struct guard_err *err)
{
    struct output_sender *sender = calloc(1, sizeof(*sender));
    enum guard_rc rc = GUARD_OK;
    *out = NULL;
    if (sender == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    sender->cfg = cfg;
    if (cfg->kind == OUTPUT_SYSLOG)
        rc = syslog_sender_new(&sender->syslog, cfg->target, err);
    if (cfg->kind == OUTPUT_WEBHOOK || cfg->kind == OUTPUT_ALERTMANAGER) {
        const struct http_client_cfg client = {
            .server = cfg->target,
            .token_file = cfg->token_file[0] != '\0' ? cfg->token_file : NULL,
            .ca_file = cfg->ca_file[0] != '\0' ? cfg->ca_file : NULL};
        rc = http_client_open(&sender->client, &client, err);
    }
    if (rc == GUARD_OK)
        *out = sender;
    else
        output_sender_free(sender);
    return rc;
}

void output_sender_free(struct output_sender *sender)
{
    if (sender == NULL)
        return;
    if (sender->client != NULL)
        http_client_close(sender->client);
    syslog_sender_free(sender->syslog);
    free(sender);
}

/* --- HTTP --- */

/* What anybody else can read is no secret: the descriptor is asked, not the name. */
static enum guard_rc read_secret(const char *path, uint8_t out[SENDER_SECRET_MAX], size_t *len,
                                 struct guard_err *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno));
    bool known = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    ssize_t n = known && (info.st_mode & 077) == 0 ? read(fd, out, SENDER_SECRET_MAX) : -1;
    close(fd);
    if (!known || (info.st_mode & 077) != 0)
        return guard_fail(err, GUARD_E_IO, "%s: must be a file that only its owner may read (0600)",
                          path);
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
        n--;
    if (n < SENDER_SECRET_MIN)
        return guard_fail(err, GUARD_E_IO, "%s: must hold at least %d bytes", path,
                          SENDER_SECRET_MIN);
    *len = (size_t)n;
    return GUARD_OK;
}

static enum guard_rc sign(const struct output_cfg *cfg, struct guard_span body, const char *seconds,
                          char out[HEADER_CAP], struct guard_err *err)
{
    uint8_t secret[SENDER_SECRET_MAX];
    char mac[HMAC_HEX_CAP];
    size_t len = 0;
    const struct guard_span parts[] = {
        {(const uint8_t *)seconds, strlen(seconds)}, GUARD_SPAN_LITERAL("."), body};
    GUARD_TRY(read_secret(cfg->secret_file, secret, &len, err));
    hmac_sha256_hex(mac, (struct guard_span){secret, len}, parts, 3);
    memset(secret, 0, sizeof(secret));
    snprintf(out, HEADER_CAP, "X-Guard-Signature: v1=%s", mac);
    return GUARD_OK;
}

static void on_answer(void *ctx, const struct http_answer *answer)
{
    struct output_sender *sender = ctx;
    sender->over = true;
    sender->end.status = answer->status;
    sender->end.retry_after_s = answer->retry_after_s;
    if (answer->status == 0)
        (void)guard_fail(&sender->end.err, GUARD_E_IO, "%s: %s", sender->cfg->target,
                         answer->failure);
    else
        (void)guard_fail(&sender->end.err, GUARD_E_IO, "%s answers %u", sender->cfg->target,
                         answer->status);
}

static enum guard_rc begin_http(struct output_sender *sender, struct guard_span body,
                                const char *delivery, uint64_t now_ms, struct guard_err *err)
{
    const struct output_cfg *cfg = sender->cfg;
    char seconds[24];
    char timestamp[HEADER_CAP];
    char signature[HEADER_CAP];
    char named[HEADER_CAP];
    struct http_request request = {.method = "POST",
                                   .path = cfg->path,
                                   .headers = {"Content-Type: application/json"},
                                   .body = body,
                                   .answer_max = ANSWER_MAX,
                                   .timeout_ms = SENDER_TIMEOUT_MS,
                                   .done = on_answer,
                                   .ctx = sender};
    snprintf(seconds, sizeof(seconds), "%" PRIu64, now_ms / 1000);
    snprintf(timestamp, sizeof(timestamp), "X-Guard-Timestamp: %s", seconds);
    snprintf(named, sizeof(named), "X-Guard-Delivery: %.100s", delivery);
    if (cfg->kind == OUTPUT_WEBHOOK) {
        request.headers[1] = named;
        request.headers[2] = timestamp;
    }
    if (cfg->secret_file[0] != '\0') {
        GUARD_TRY(sign(cfg, body, seconds, signature, err));
        request.headers[3] = signature;
    }
    sender->over = false;
    return http_client_start(sender->client, &request, err);
}

static enum sender_state run_http(struct output_sender *sender, struct sender_end *end)
{
    http_client_run(sender->client);
    if (!sender->over)
        return SENDER_BUSY;
    *end = sender->end;
    return end->status >= 200 && end->status < 300 ? SENDER_SENT : SENDER_FAILED;
}

/* --- all --- */

enum guard_rc output_sender_begin(struct output_sender *sender, struct guard_span body,
                                  const char *delivery, uint64_t now_ms, struct guard_err *err)
{
    const struct output_cfg *cfg = sender->cfg;
    memset(&sender->end, 0, sizeof(sender->end));
    if (sender->client != NULL)
        return begin_http(sender, body, delivery, now_ms, err);
    if (sender->syslog != NULL) {
        sender->begin_ms = clock_monotonic_ms();
        return syslog_sender_put(sender->syslog, body, err);
    }
    struct stat info;
    if (stat(cfg->target, &info) == 0 && !S_ISREG(info.st_mode)) /* a pipe would be waited for */
        return guard_fail(err, GUARD_E_IO, "%s: not a regular file", cfg->target);
    file_rotate(cfg->target, (uint64_t)cfg->max_mib << 20, FILES_OLDER);
    body.len -= body.len > 0; /* the last line's end is put there */
    return file_append_line(cfg->target, body, err);
}

enum sender_state output_sender_run(struct output_sender *sender, struct sender_end *end)
{
    memset(end, 0, sizeof(*end));
    if (sender->client != NULL)
        return run_http(sender, end);
    if (sender->syslog == NULL)
        return SENDER_SENT;
    int done = syslog_sender_run(sender->syslog, &end->err);
    if (done == 0 && clock_monotonic_ms() - sender->begin_ms >= SENDER_TIMEOUT_MS) {
        syslog_sender_reset(sender->syslog);
        (void)guard_fail(&end->err, GUARD_E_IO, "%s: takes nothing", sender->cfg->target);
        return SENDER_FAILED;
    }
    return done == 0 ? SENDER_BUSY : done == 1 ? SENDER_SENT : SENDER_FAILED;
}
