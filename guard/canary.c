/* SPDX-License-Identifier: Apache-2.0 */
/* `guard canary`: asks by an address whether gates stand in a service's way. Behind a balancer each
 * time may lead elsewhere, so it can be asked often. */
#include "command.h"
#include "state_files.h"

#include "common/canary_call.h"
#include "common/file.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANARY_SERVICE, CANARY_STATE, CANARY_TIMES, CANARY_HOST };
enum { TIMES_MAX = 1000, KINDS_MAX = 64, KIND_CAP = 512, AT_ONCE = 8 };

static const struct option_spec options[] = {
    {"service", "NAME", "whose gates are asked for (default: the only one of the directory)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"times", "N", "how often, each time by a new connection (default 1, at most 1000)"},
    {"host", "NAME", "what the Host field says (default: the URL's host)"},
    {NULL, NULL, NULL},
};

/* Answers that are the same are counted. */
struct kind {
    char text[KIND_CAP];
    unsigned count;
};

struct asking {
    struct http_client *client;
    struct canary_call calls[AT_ONCE];
    struct one {
        struct asking *asking;
        bool busy;
    } ones[AT_ONCE];
    struct kind kinds[KINDS_MAX];
    int kind_count;
    unsigned outcomes[3]; /* by enum canary_outcome */
};

static void count_kind(struct asking *asking, const char *text)
{
    for (int i = 0; i < asking->kind_count; i++) {
        if (strcmp(asking->kinds[i].text, text) == 0) {
            asking->kinds[i].count++;
            return;
        }
    }
    if (asking->kind_count == KINDS_MAX)
        return; /* the sums still hold */
    struct kind *kind = &asking->kinds[asking->kind_count++];
    snprintf(kind->text, sizeof(kind->text), "%s", text);
    kind->count = 1;
}

static void on_result(void *ctx, const struct canary_result *result)
{
    struct one *one = ctx;
    char text[KIND_CAP];
    one->busy = false;
    one->asking->outcomes[result->outcome]++;
    if (result->outcome == CANARY_PROVED)
        snprintf(text, sizeof(text), "gate of %s%s%s, policy of generation %" PRIu64,
                 result->gate.pod[0] != '\0' ? result->gate.pod : "a machine without a name",
                 result->gate.revision[0] != '\0' ? ", revision " : "", result->gate.revision,
                 result->gate.generation);
    else if (result->outcome == CANARY_BARE && result->status != 0)
        snprintf(text, sizeof(text), "NOT IN PATH: status %u without a proof", result->status);
    else if (result->outcome == CANARY_BARE)
        snprintf(text, sizeof(text), "NOT IN PATH: an answer without a proof");
    else
        snprintf(text, sizeof(text), "no answer: %s", result->failure);
    count_kind(one->asking, text);
}

/* Where it is, and what stands before the canary's path. */
struct place {
    char server[CANARY_SERVER_CAP];
    char prefix[CANARY_PREFIX_CAP];
};

static bool split(struct place *out, const char *url)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    const char *host = strstr(url, "://");
    const char *slash = host != NULL ? strchr(host + 3, '/') : NULL;
    size_t len = slash != NULL ? (size_t)(slash - url) : strlen(url);
    const char *prefix = slash != NULL ? slash : "";
    size_t prefix_len = strlen(prefix);
    while (prefix_len > 0 && prefix[prefix_len - 1] == '/')
        prefix_len--;
    if (host == NULL || len >= sizeof(out->server) || prefix_len >= sizeof(out->prefix) ||
        strspn(prefix, letters) != strlen(prefix))
        return false;
    snprintf(out->server, sizeof(out->server), "%.*s", (int)len, url);
    snprintf(out->prefix, sizeof(out->prefix), "%.*s", (int)prefix_len, prefix);
    return http_server_check(out->server, NULL) == GUARD_OK;
}

/* The only service; none when there are several. */
struct only {
    char name[STATE_SERVICE_MAX + 1];
    int count;
};

static void found(void *ctx, const char *name)
{
    struct only *only = ctx;
    only->count++;
    snprintf(only->name, sizeof(only->name), "%s", name);
}

static bool choose(struct only *only, const char *dir, const char *wanted)
{
    if (wanted != NULL) {
        snprintf(only->name, sizeof(only->name), "%s", wanted);
        return strlen(wanted) <= STATE_SERVICE_MAX ||
               complain(0, "no service has such a name") != 0;
    }
    state_services(dir, found, only);
    if (only->count == 1)
        return true;
    return complain(0,
                    only->count == 0 ? "%s: there is no service"
                                     : "%s: there are several services: say --service",
                    dir) != 0;
}

static void turn(struct asking *asking)
{
    struct pollfd waited = {.fd = http_client_fd(asking->client), .events = POLLIN};
    (void)poll(&waited, 1, (int)http_client_wait_ms(asking->client, 100));
    http_client_run(asking->client);
}

static int ask(struct asking *asking, const struct canary_target *target, struct guard_span service,
               const uint8_t key[GUARD_KEY_BYTES], unsigned long times)
{
    struct guard_err err;
    for (unsigned long asked = 0; asked < times || http_client_busy(asking->client) > 0;) {
        for (size_t i = 0; i < AT_ONCE && asked < times; i++) {
            struct one *one = &asking->ones[i];
            if (one->busy)
                continue;
            *one = (struct one){.asking = asking, .busy = true};
            asking->calls[i] = (struct canary_call){.done = on_result, .ctx = one};
            if (canary_call_begin(asking->client, &asking->calls[i], target, service, key, &err) !=
                GUARD_OK)
                return complain(EXIT_FAILED, "%s", err.text);
            asked++;
        }
        turn(asking);
    }
    return EXIT_GOOD;
}

static int tell(const struct asking *asking, unsigned long times)
{
    for (int i = 0; i < asking->kind_count; i++) {
        if (times > 1)
            printf("%6u  ", asking->kinds[i].count);
        print_clean(asking->kinds[i].text, strlen(asking->kinds[i].text));
        putchar('\n');
    }
    if (asking->outcomes[CANARY_BARE] + asking->outcomes[CANARY_SILENT] == 0)
        return EXIT_GOOD;
    return complain(EXIT_FAILED, "%u of %lu without a proof, %u without an answer",
                    asking->outcomes[CANARY_BARE], times, asking->outcomes[CANARY_SILENT]);
}

static int run(const struct arguments *arguments)
{
    const char *dir = state_dir(arguments->values[CANARY_STATE]);
    const char *text = arguments->values[CANARY_TIMES];
    char *end = NULL;
    unsigned long times = text != NULL ? strtoul(text, &end, 10) : 1;
    struct place place;
    struct only only = {.name = ""};
    uint8_t key[GUARD_KEY_BYTES];
    struct guard_err err;
    static struct asking asking;
    if (arguments->count != 1 || !split(&place, arguments->operands[0]))
        return complain(EXIT_USAGE, "one operand: http://HOST[:PORT][/PREFIX] or https://…");
    if (text != NULL &&
        (text[0] < '0' || text[0] > '9' || *end != '\0' || times == 0 || times > TIMES_MAX))
        return complain(EXIT_USAGE, "--times is a number from 1 to %d", TIMES_MAX);
    if (!choose(&only, dir, arguments->values[CANARY_SERVICE]))
        return EXIT_FAILED;
    const struct guard_span service = {(const uint8_t *)only.name, strlen(only.name)};
    const struct canary_target target = {place.server, place.prefix,
                                         arguments->values[CANARY_HOST]};
    if (canary_key_read(key, dir, service, &err) != GUARD_OK ||
        canary_client_open(&asking.client, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    int status = ask(&asking, &target, service, key, times);
    http_client_close(asking.client);
    explicit_bzero(key, sizeof(key));
    return status == EXIT_GOOD ? tell(&asking, times) : status;
}

const struct command command_canary = {
    .name = "canary",
    .usage = "URL",
    .operands = NULL,
    .summary = "prove that a gate stands in a service's way",
    .details =
        "Sends GET PREFIX/.well-known/guard-canary with a proof that only who has the service's "
        "policy can make. A gate that enforces that policy answers it itself, with a proof, and "
        "says whose it is; what isn't guarded gets a harmless request. Certificates aren't "
        "verified: the proof is what counts.\n\n"
        "Exit status: 0 when gates answered each time, 1 when something else answered, or nothing.",
    .options = options,
    .run = run,
    .files_only = true,
};
