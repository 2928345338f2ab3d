/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of alerts are UTF-8 without controls, as guardd wrote them; what structured data must not
 * hold raw is escaped here. */
#include "common/outputs/syslog.h"

#include "common/document_members.h"
#include "common/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* --- messages --- */

static const struct {
    const char *name;
    uint32_t number;
} facilities[] = {{"user", 1},    {"daemon", 3},  {"auth", 4},    {"authpriv", 10},
                  {"local0", 16}, {"local1", 17}, {"local2", 18}, {"local3", 19},
                  {"local4", 20}, {"local5", 21}, {"local6", 22}, {"local7", 23}};

bool syslog_facility(const char *name, uint32_t *out)
{
    for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
        if (strcmp(name, facilities[i].name) == 0) {
            *out = facilities[i].number;
            return true;
        }
    }
    return false;
}

struct message {
    char *ptr;
    size_t len;
};

static void put(struct message *message, const char *text, size_t len)
{
    if (len > SYSLOG_MESSAGE_MAX - message->len)
        len = SYSLOG_MESSAGE_MAX - message->len;
    memcpy(message->ptr + message->len, text, len);
    message->len += len;
}

static void put_text(struct message *message, const char *text)
{
    put(message, text, strlen(text));
}

/* As much of a text as whole characters are in max bytes. */
static size_t cut(const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}

/* A parameter of structured data; nothing when it is empty. */
static void put_param(struct message *message, const char *name, const char *value)
{
    enum { VALUE_MAX = 512 };
    size_t len = cut(value, VALUE_MAX);
    if (len == 0)
        return;
    put_text(message, " ");
    put_text(message, name);
    put_text(message, "=\"");
    for (size_t i = 0; i < len; i++) {
        if (value[i] == '"' || value[i] == '\\' || value[i] == ']')
            put_text(message, "\\");
        put(message, (unsigned char)value[i] < 0x20 ? "?" : &value[i], 1);
    }
    put_text(message, "\"");
}

static void put_number(struct message *message, const char *name, double value)
{
    char text[32];
    snprintf(text, sizeof(text), "%.15g", value);
    put_param(message, name, text);
}

static void put_time(struct message *message, double time_ms)
{
    char text[CLOCK_TEXT_MAX];
    put_text(message, time_ms > 0 && clock_text(text, time_ms) ? text : "-");
}

/* 32473 is the number that is reserved for examples (RFC 5612); there is none of Guard's own. */
static void put_data(struct message *message, const struct document_node *alert)
{
    static const char *const texts[] = {"id",       "service", "verdict", "action", "method",
                                        "template", "client",  "series",  "state"};
    static const char *const numbers[] = {"status", "generation", "seq",    "count",
                                          "total",  "suppressed", "skipped"};
    const struct document_node *findings = member_of(alert, "findings");
    const struct document_node *first =
        findings != NULL && findings->kind == DOCUMENT_SEQUENCE ? findings->first : NULL;
    put_text(message, "[guard@32473");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        put_param(message, texts[i], text_of(alert, texts[i]));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (member_of(alert, numbers[i]) != NULL)
            put_number(message, numbers[i], number_of(alert, numbers[i]));
    }
    put_number(message, "score", number_of(alert, "score"));
    if (first != NULL) {
        put_param(message, "part", text_of(first, "part"));
        put_param(message, "location", text_of(first, "location"));
        put_param(message, "name", text_of(first, "name"));
        put_param(message, "rule", text_of(first, "rule"));
    }
    put_text(message, "]");
}

size_t syslog_message(char out[SYSLOG_MESSAGE_MAX], const struct document_node *alert,
                      uint32_t facility, const char *host, long pid)
{
    enum { WARNING = 4, NOTICE = 5, TEXT_MAX = 1024 };
    struct message message = {out, 0};
    char head[64];
    const char *text = text_of(alert, "explanation");
    bool blocked = strcmp(text_of(alert, "action"), "block") == 0;
    double time_ms = number_of(alert, "last_ms");
    snprintf(head, sizeof(head), "<%u>1 ", facility * 8 + (blocked ? WARNING : NOTICE));
    put_text(&message, head);
    put_time(&message, time_ms > 0 ? time_ms : number_of(alert, "time_ms"));
    put_text(&message, " ");
    put(&message, host, cut(host, SYSLOG_HOST_MAX));
    snprintf(head, sizeof(head), " guardd %ld %s ", pid, blocked ? "BLOCK" : "ALERT");
    put_text(&message, head);
    put_data(&message, alert);
    put_text(&message, " \xef\xbb\xbf"); /* says that UTF-8 follows */
    size_t len = cut(text, TEXT_MAX);
    for (size_t i = 0; i < len; i++)
        put(&message, (unsigned char)text[i] < 0x20 ? "?" : &text[i], 1);
    return message.len;
}

/* --- addresses --- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static bool read_port(const char *text, in_port_t *out)
{
    char *end = NULL;
    unsigned long port = text[0] >= '1' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    *out = htons((uint16_t)port);
    return end != NULL && *end == '\0' && port >= 1 && port <= 65535;
}

static bool read_address(const char *text, union address *out, socklen_t *len, bool *stream)
{
    char host[SYSLOG_ADDRESS_MAX + 1];
    memset(out, 0, sizeof(*out));
    *stream = strncmp(text, "tcp://", 6) == 0;
    if (strncmp(text, "unix:/", 6) == 0) {
        size_t path_len = strlen(text + 5);
        out->local.sun_family = AF_UNIX;
        if (path_len >= sizeof(out->local.sun_path))
            return false;
        memcpy(out->local.sun_path, text + 5, path_len + 1);
        *len = sizeof(out->local);
        return true;
    }
    if (!*stream && strncmp(text, "udp://", 6) != 0)
        return false;
    const char *colon = strrchr(text + 6, ':');
    if (colon == NULL || (size_t)(colon - text) > SYSLOG_ADDRESS_MAX)
        return false;
    size_t host_len = (size_t)(colon - text) - 6;
    bool wide = host_len > 2 && text[6] == '[' && colon[-1] == ']';
    memcpy(host, text + 6 + wide, host_len - 2u * wide);
    host[host_len - 2u * wide] = '\0';
    *len = wide ? sizeof(out->v6) : sizeof(out->v4);
    out->any.sa_family = wide ? AF_INET6 : AF_INET;
    void *number = wide ? (void *)&out->v6.sin6_addr : (void *)&out->v4.sin_addr;
    return inet_pton(out->any.sa_family, host, number) == 1 &&
           read_port(colon + 1, wide ? &out->v6.sin6_port : &out->v4.sin_port);
}

bool syslog_address_valid(const char *address)
{
    union address out;
    socklen_t len;
    bool stream;
    return read_address(address, &out, &len, &stream);
}

/* --- sending --- */

struct syslog_sender {
    char *text;
    union address address;
    socklen_t address_len;
    bool stream;
    int fd;
    char *frames;
    size_t len;
    size_t sent;
};

enum guard_rc syslog_sender_new(struct syslog_sender **out, const char *address,
                                struct guard_err *err)
{
    struct syslog_sender *sender = calloc(1, sizeof(*sender));
    char *text = strdup(address);
    *out = NULL;
    if (sender == NULL || text == NULL) {
        free(sender);
        free(text);
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    }
    sender->fd = -1;
    sender->text = text;
    if (!read_address(address, &sender->address, &sender->address_len, &sender->stream)) {
        syslog_sender_free(sender);
        return guard_fail(err, GUARD_E_RANGE, "%s: no address", address);
    }
    *out = sender;
    return GUARD_OK;
}

void syslog_sender_reset(struct syslog_sender *sender)
{
    if (sender->fd >= 0)
        close(sender->fd);
    sender->fd = -1;
    free(sender->frames);
    sender->frames = NULL;
    sender->len = sender->sent = 0;
}

void syslog_sender_free(struct syslog_sender *sender)
{
    if (sender == NULL)
        return;
    syslog_sender_reset(sender);
    free(sender->text);
    free(sender);
}

enum guard_rc syslog_sender_put(struct syslog_sender *sender, struct guard_span frames,
                                struct guard_err *err)
{
    char *copy = malloc(frames.len + 1);
    if (copy == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    memcpy(copy, frames.ptr, frames.len);
    copy[frames.len] = '\0';
    free(sender->frames);
    sender->frames = copy;
    sender->len = frames.len;
    sender->sent = 0;
    return GUARD_OK;
}

static int fail(struct syslog_sender *sender, int number, struct guard_err *err)
{
    (void)guard_fail(err, GUARD_E_IO, "%s: %s", sender->text, strerror(number));
    syslog_sender_reset(sender);
    return -1;
}

/* Whoever ended a connection is noticed before something is written into it, and lost. */
static bool ended(const struct syslog_sender *sender)
{
    char byte;
    ssize_t n = recv(sender->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN);
}

static bool connect_to(struct syslog_sender *sender)
{
    int type = (sender->stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    sender->fd = socket(sender->address.any.sa_family, type, 0);
    return sender->fd >= 0 &&
           (connect(sender->fd, &sender->address.any, sender->address_len) == 0 ||
            errno == EINPROGRESS);
}

static bool would_wait(int number)
{
    return number == EAGAIN || number == ENOTCONN || number == EINPROGRESS || number == EALREADY;
}

static int run_stream(struct syslog_sender *sender, struct guard_err *err)
{
    int queued = 0;
    int failure = 0;
    socklen_t len = sizeof(failure);
    if (getsockopt(sender->fd, SOL_SOCKET, SO_ERROR, &failure, &len) == 0 && failure != 0)
        return fail(sender, failure, err);
    while (sender->sent < sender->len) {
        ssize_t n = send(sender->fd, sender->frames + sender->sent, sender->len - sender->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && would_wait(errno))
            return 0;
        if (n < 0)
            return fail(sender, errno, err);
        sender->sent += (size_t)n;
    }
    if (ended(sender))
        return fail(sender, ECONNRESET, err);
    /* What the other side hasn't acknowledged would be lost with the connection. */
    return ioctl(sender->fd, SIOCOUTQ, &queued) == 0 && queued > 0 ? 0 : 1;
}

static int run_datagrams(struct syslog_sender *sender, struct guard_err *err)
{
    while (sender->sent < sender->len) {
        char *message = NULL;
        size_t len = strtoul(sender->frames + sender->sent, &message, 10);
        message++; /* behind the blank */
        size_t end = (size_t)(message - sender->frames) + len;
        if (end > sender->len)
            return fail(sender, EINVAL, err);
        if (send(sender->fd, message, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            if (would_wait(errno) || errno == ENOBUFS)
                return 0;
            return fail(sender, errno, err);
        }
        sender->sent = end;
    }
    return 1;
}

int syslog_sender_run(struct syslog_sender *sender, struct guard_err *err)
{
    if (sender->len == 0)
        return 1;
    if (sender->fd >= 0 && sender->stream && sender->sent == 0 && ended(sender)) {
        close(sender->fd);
        sender->fd = -1;
    }
    if (sender->fd < 0 && !connect_to(sender))
        return fail(sender, errno, err);
    int done = sender->stream ? run_stream(sender, err) : run_datagrams(sender, err);
    if (done == 1) {
        free(sender->frames);
        sender->frames = NULL;
        sender->len = sender->sent = 0;
    }
    return done;
}
