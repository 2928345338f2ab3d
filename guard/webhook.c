/* SPDX-License-Identifier: Apache-2.0 */
/* `guard webhook`: an nginx that speaks TLS with the API server, and behind it the injection. It
 * asks nothing of the API but, with --certify, for its own certificate: what a review needs stands
 * in it. */
#include "certificate_keeper.h"
#include "command.h"
#include "common/file.h"
#include "common/inject/admission.h"
#include "common/log.h"
#include "run.h"
#include "scgi.h"
#include "state_files.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef GUARD_VERSION
#define GUARD_VERSION "development"
#endif

enum {
    WEBHOOK_LISTEN,
    WEBHOOK_CERTIFICATE,
    WEBHOOK_KEY,
    WEBHOOK_STATE,
    WEBHOOK_IMAGE,
    WEBHOOK_PULL,
    WEBHOOK_MODE,
    WEBHOOK_PARENT,
    WEBHOOK_TRUST,
    WEBHOOK_AUDIENCE,
    WEBHOOK_NATIVE,
    WEBHOOK_NGINX,
    WEBHOOK_CERTIFY,
    WEBHOOK_NAMES,
    WEBHOOK_CONFIGURATION,
    WEBHOOK_KUBERNETES,
    WEBHOOK_VALID,
    WEBHOOK_OVERLAP,
};
enum {
    REVIEW_MAX = 8 << 20,
    ARENA_MAX = 128 << 20,
    WAIT_MS = 2000,
    TURN_MS = 200,
    STOP_MS = 5000,
    CONF_MAX = 8192,
    RETRY_MS = 1000,
    DAY_S = 86400,
    VALID_S = 90 * DAY_S,
    OVERLAP_S = 300,
};

static const struct option_spec options[] = {
    {"listen", "ADDR", "address:port for the API server (default 0.0.0.0:8443)"},
    {"certificate", "FILE",
     "PEM, of SERVICE.NAMESPACE.svc; read again when it changes (or --certify)"},
    {"key", "FILE", "its key"},
    {"state", "DIR", "a directory for nginx (default $GUARD_STATE or /var/lib/guard)"},
    {"image", "IMAGE", "the image with Guard (default guard:" GUARD_VERSION ")"},
    {"pull-policy", "WORD", "Always, IfNotPresent or Never, for that image"},
    {"mode", "MODE", "observe, alert or block; without it the Guardian's (alert at first)"},
    {"parent", "URL", "the guardd that learns for all (default: each pod's own)"},
    {"trust", "CONFIGMAP", "in each namespace: the parent's ca.crt and policy.pub"},
    {"audience", "WORD", "of the token that pods show the parent (default guard.security)"},
    {"native", NULL, "as a native sidecar: when all kubelets are of 1.29 or later"},
    {"nginx", "FILE", "the nginx program (default /usr/sbin/nginx)"},
    {"certify", "SECRET", "keep an authority and the certificate in that Secret of our namespace"},
    {"names", "NAME,...", "the certificate's (default guard-webhook.NAMESPACE.svc)"},
    {"configuration", "NAME", "of the webhook, where its authority is told (default guard)"},
    {"kubernetes", "in-cluster|KUBECONFIG", "where both are (default in-cluster)"},
    {"valid", "TIME", "how long a certificate is, its authority four times (default 90d)"},
    {"overlap", "TIME", "between trusting an authority and using it (default 5m)"},
    {NULL, NULL, NULL},
};

/* An API server ends connections that it doesn't use after 90 s, and one that ended on this side
 * may fail a review that is just sent: so it is the one to end them. It resumes no sessions, so
 * tickets would be made for nothing, and they are an eighth of a handshake. */
static const char conf[] = "worker_processes 1;\n"
                           "daemon off;\n"
                           "pid \"%s/webhook.pid\";\n"
                           "error_log \"%s/webhook.log\" warn;\n"
                           "events { worker_connections 512; }\n"
                           "http {\n"
                           "    access_log off;\n"
                           "    server_tokens off;\n"
                           "    client_max_body_size %d;\n"
                           "    client_body_temp_path \"%s/body\";\n"
                           "    proxy_temp_path \"%s/proxy\";\n"
                           "    fastcgi_temp_path \"%s/fastcgi\";\n"
                           "    uwsgi_temp_path \"%s/uwsgi\";\n"
                           "    scgi_temp_path \"%s/scgi\";\n"
                           "    server {\n"
                           "        listen %s ssl;\n"
                           "        ssl_certificate \"%s\";\n"
                           "        ssl_certificate_key \"%s\";\n"
                           "        ssl_protocols TLSv1.2 TLSv1.3;\n"
                           "        ssl_session_tickets off;\n"
                           "        ssl_session_cache off;\n"
                           "        ssl_conf_command NumTickets 0;\n"
                           "        keepalive_timeout 600s 600s;\n"
                           "        keepalive_requests 1000000;\n"
                           "        location = /inject {\n"
                           "            limit_except POST { deny all; }\n"
                           "            scgi_pass unix:%s/webhook.sock;\n"
                           "            scgi_param CONTENT_LENGTH $content_length;\n"
                           "            scgi_param SCGI 1;\n"
                           "        }\n"
                           "        location = /healthz { return 200; }\n"
                           "        location / { return 404; }\n"
                           "    }\n"
                           "}\n";

struct webhook {
    struct inject_cfg cfg;
    const char *listen;
    const char *certificate;
    const char *key;
    const char *nginx_path;
    char dir[STATE_PATH_MAX];
    char conf[STATE_PATH_MAX + 16];
    struct child nginx;
    int socket;
    struct timespec changed; /* the certificate */
    struct keeper_cfg kept;  /* secret NULL: somebody else keeps it */
    struct keeper *keeper;   /* NULL: likewise */
    char kept_certificate[STATE_PATH_MAX + 16];
    char kept_key[STATE_PATH_MAX + 16];
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static bool fits(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f || strchr("\"\\$;{} ", *c) != NULL)
            return complain(0, "\"%s\" can't stand in a configuration", text) != 0;
    }
    return text[0] != '\0';
}

static bool write_conf(struct webhook *webhook)
{
    char text[CONF_MAX];
    struct guard_err err;
    const char *dir = webhook->dir;
    if (!fits(webhook->listen) || !fits(webhook->certificate) || !fits(webhook->key) || !fits(dir))
        return false;
    int len = snprintf(text, sizeof(text), conf, dir, dir, REVIEW_MAX, dir, dir, dir, dir, dir,
                       webhook->listen, webhook->certificate, webhook->key, dir);
    snprintf(webhook->conf, sizeof(webhook->conf), "%s/webhook.conf", dir);
    if (len < 0 || (size_t)len >= sizeof(text))
        return complain(0, "the configuration is too long") != 0;
    return file_replace(webhook->conf, (struct guard_span){(const uint8_t *)text, (size_t)len},
                        0640, false, &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static bool start_nginx(struct webhook *webhook)
{
    static char prefix[] = "-p";
    static char file[] = "-c";
    static char log[] = "-e";
    char nginx[STATE_PATH_MAX];
    char errors[STATE_PATH_MAX + 16];
    snprintf(nginx, sizeof(nginx), "%s", webhook->nginx_path);
    snprintf(errors, sizeof(errors), "%s/webhook.log", webhook->dir);
    char *argv[] = {nginx, prefix, webhook->dir, file, webhook->conf, log, errors, NULL};
    return child_start(&webhook->nginx, argv);
}

/* Whoever renews the certificate replaces the file; nginx takes it without losing a request. */
static void watch_certificate(struct webhook *webhook)
{
    struct stat info;
    if (stat(webhook->certificate, &info) != 0 ||
        (info.st_mtim.tv_sec == webhook->changed.tv_sec &&
         info.st_mtim.tv_nsec == webhook->changed.tv_nsec))
        return;
    bool first = webhook->changed.tv_sec == 0;
    webhook->changed = info.st_mtim;
    if (first || webhook->nginx.pid == 0)
        return;
    log_event("info", "certificate-changed", (struct guard_span){NULL, 0}, "%s",
              webhook->certificate);
    kill(webhook->nginx.pid, SIGHUP);
}

static void answer(const struct webhook *webhook, int fd)
{
    static const char bad[] = "{\"error\":\"no review that could be answered\"}";
    const struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_span out;
    struct guard_err err = {{0}};
    uint8_t *body = NULL;
    size_t len = 0;
    if (!scgi_read(fd, REVIEW_MAX, WAIT_MS, &body, &len)) {
        scgi_answer(fd, 400, (struct guard_span){(const uint8_t *)bad, sizeof(bad) - 1});
        return;
    }
    guard_arena_init(&arena, &heap, ARENA_MAX);
    if (inject_admission((struct guard_span){body, len}, &webhook->cfg, &arena, &out, &err) ==
        GUARD_OK) {
        scgi_answer(fd, 200, out);
    } else {
        log_event("warn", "review-refused", (struct guard_span){NULL, 0}, "%s", err.text);
        scgi_answer(fd, 400, (struct guard_span){(const uint8_t *)bad, sizeof(bad) - 1});
    }
    guard_arena_reset(&arena);
    free(body);
}

static void revive(struct webhook *webhook)
{
    if (webhook->nginx.pid != 0 && child_ended(&webhook->nginx)) {
        log_event("alarm", "child-ended", (struct guard_span){NULL, 0}, "nginx; see %s/webhook.log",
                  webhook->dir);
        webhook->nginx.pid = 0;
        webhook->nginx.retry_ms = clock_monotonic_ms() + RETRY_MS;
    }
    if (webhook->nginx.pid == 0 && keeper_ready(webhook->keeper) &&
        clock_monotonic_ms() >= webhook->nginx.retry_ms)
        (void)start_nginx(webhook);
}

/* Answers a review, if one comes within a turn. */
static void turn(const struct webhook *webhook)
{
    struct pollfd wait[] = {{.fd = webhook->socket, .events = POLLIN},
                            {.fd = keeper_fd(webhook->keeper), .events = POLLIN}};
    if (poll(wait, 2, TURN_MS) <= 0 || wait[0].revents == 0)
        return;
    int fd = accept4(webhook->socket, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    answer(webhook, fd);
    close(fd);
}

static void serve(struct webhook *webhook)
{
    while (!stopping) {
        keeper_tick(webhook->keeper);
        revive(webhook);
        watch_certificate(webhook);
        turn(webhook);
    }
}

/* nginx ends when all that it has taken up is answered, which is ours to do. */
static void finish(struct webhook *webhook)
{
    struct child *nginx = &webhook->nginx;
    uint64_t start = clock_monotonic_ms();
    if (nginx->pid == 0)
        return;
    kill(nginx->pid, SIGQUIT);
    bool ended = child_ended(nginx);
    while (!ended && clock_monotonic_ms() - start < STOP_MS) {
        turn(webhook);
        ended = child_ended(nginx);
    }
    if (ended)
        nginx->pid = 0;
    child_stop(nginx, SIGTERM, 0);
}

/* A number of seconds, minutes, hours or days. */
static bool read_time(const char *text, uint64_t default_s, uint64_t *out_ms)
{
    static const char units[] = "smhd";
    static const uint64_t factors[] = {1, 60, 3600, DAY_S};
    uint64_t seconds = default_s;
    if (text != NULL) {
        size_t digits = strspn(text, "0123456789");
        const char *unit =
            digits > 0 && digits < 10 && text[digits] != '\0' && text[digits + 1] == '\0'
                ? strchr(units, text[digits])
                : NULL;
        if (unit == NULL)
            return false;
        seconds = strtoull(text, NULL, 10) * factors[unit - units];
    }
    *out_ms = seconds * 1000;
    return seconds > 0 && seconds <= (uint64_t)3650 * DAY_S;
}

/* Who keeps the certificate: we ourselves, or whoever replaces its files. */
static bool certificate_settings(struct webhook *webhook, const char *const *values)
{
    static const int ours[] = {WEBHOOK_NAMES, WEBHOOK_CONFIGURATION, WEBHOOK_KUBERNETES,
                               WEBHOOK_VALID, WEBHOOK_OVERLAP};
    struct keeper_cfg *kept = &webhook->kept;
    webhook->certificate = values[WEBHOOK_CERTIFICATE];
    webhook->key = values[WEBHOOK_KEY];
    kept->secret = values[WEBHOOK_CERTIFY];
    bool given = webhook->certificate != NULL || webhook->key != NULL;
    if (kept->secret != NULL ? given : webhook->certificate == NULL || webhook->key == NULL)
        return complain(0, "--certify, or --certificate and --key are needed") != 0;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (kept->secret == NULL && values[ours[i]] != NULL)
            return complain(0, "--%s needs --certify", options[ours[i]].name) != 0;
    }
    kept->names = values[WEBHOOK_NAMES];
    kept->configuration =
        values[WEBHOOK_CONFIGURATION] != NULL ? values[WEBHOOK_CONFIGURATION] : "guard";
    kept->cluster = values[WEBHOOK_KUBERNETES] != NULL ? values[WEBHOOK_KUBERNETES] : "in-cluster";
    if (!read_time(values[WEBHOOK_VALID], VALID_S, &kept->valid_ms))
        return complain(0, "--valid: \"%s\" is no time such as 90d", values[WEBHOOK_VALID]) != 0;
    if (!read_time(values[WEBHOOK_OVERLAP], OVERLAP_S, &kept->overlap_ms) ||
        kept->overlap_ms > kept->valid_ms / 4)
        return complain(
                   0, "--overlap: must be a time such as 5m, of a quarter of --valid at most") != 0;
    return true;
}

static void kept_files(struct webhook *webhook)
{
    struct keeper_cfg *kept = &webhook->kept;
    if (kept->secret == NULL)
        return;
    snprintf(webhook->kept_certificate, sizeof(webhook->kept_certificate), "%s/tls.crt",
             webhook->dir);
    snprintf(webhook->kept_key, sizeof(webhook->kept_key), "%s/tls.key", webhook->dir);
    webhook->certificate = kept->certificate = webhook->kept_certificate;
    webhook->key = kept->key = webhook->kept_key;
}

static bool settings(struct webhook *webhook, const struct arguments *arguments)
{
    const char *const *values = arguments->values;
    struct guard_err err;
    webhook->cfg = (struct inject_cfg){
        .image = values[WEBHOOK_IMAGE] != NULL ? values[WEBHOOK_IMAGE] : "guard:" GUARD_VERSION,
        .pull_policy = values[WEBHOOK_PULL],
        .mode = values[WEBHOOK_MODE],
        .parent = values[WEBHOOK_PARENT],
        .trust = values[WEBHOOK_TRUST],
        .audience = values[WEBHOOK_AUDIENCE],
        .native = values[WEBHOOK_NATIVE] != NULL,
        .named_only = true,
    };
    webhook->listen = values[WEBHOOK_LISTEN] != NULL ? values[WEBHOOK_LISTEN] : "0.0.0.0:8443";
    webhook->nginx_path = values[WEBHOOK_NGINX] != NULL ? values[WEBHOOK_NGINX] : "/usr/sbin/nginx";
    if (!certificate_settings(webhook, values))
        return false;
    if (inject_check(&webhook->cfg, &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    if (mkdir(state_dir(values[WEBHOOK_STATE]), 0750) != 0 && errno != EEXIST)
        return complain(0, "%s: %s", state_dir(values[WEBHOOK_STATE]), strerror(errno)) != 0;
    char *real = realpath(state_dir(values[WEBHOOK_STATE]), NULL);
    int len = real != NULL ? snprintf(webhook->dir, sizeof(webhook->dir), "%s", real) : -1;
    free(real);
    return (len > 0 && (size_t)len < sizeof(webhook->dir)) ||
           complain(0, "%s: %s", state_dir(values[WEBHOOK_STATE]), strerror(errno)) != 0;
}

static int run(const struct arguments *arguments)
{
    static struct webhook webhook = {.nginx = {.name = "nginx"}};
    struct sigaction action = {.sa_handler = on_signal};
    char path[STATE_PATH_MAX + 16];
    struct guard_err err;
    if (arguments->count != 0)
        return complain(EXIT_USAGE, "there are no operands; see guard webhook --help");
    if (geteuid() == 0)
        return complain(EXIT_USAGE, "needs nothing of root's: run it under an account of its own");
    if (!settings(&webhook, arguments))
        return EXIT_USAGE;
    snprintf(path, sizeof(path), "%s/webhook.sock", webhook.dir);
    webhook.socket = scgi_listen(path);
    if (webhook.socket < 0)
        return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    kept_files(&webhook);
    if (webhook.kept.secret != NULL &&
        keeper_open(&webhook.keeper, &webhook.kept, &err) != GUARD_OK)
        return complain(EXIT_USAGE, "%s", err.text);
    if (!write_conf(&webhook) || (webhook.keeper == NULL && !start_nginx(&webhook)))
        return EXIT_FAILED;
    log_event("info", "started", (struct guard_span){NULL, 0}, "webhook on %s", webhook.listen);
    serve(&webhook);
    finish(&webhook);
    keeper_close(webhook.keeper);
    close(webhook.socket);
    (void)unlink(path);
    return EXIT_GOOD;
}

const struct command command_webhook = {
    .name = "webhook",
    .usage = "--certify SECRET | --certificate FILE --key FILE",
    .summary = "put Guard into pods as a cluster creates them",
    .details = "A mutating admission webhook at https://ADDR/inject. Which namespaces and pods it "
               "is asked for stands\nin its configuration: deploy/kubernetes/webhook.yaml. It "
               "needs no access to the API but,\nwith --certify, to one Secret and to that "
               "configuration.",
    .options = options,
    .run = run,
};
