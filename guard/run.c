/* SPDX-License-Identifier: Apache-2.0 */
/* `guard run`: an nginx with the gate in front of a service, and guardd beside it, started,
 * supervised and ended together. */
#include "run.h"

#include "command.h"
#include "common/file.h"
#include "common/log.h"
#include "state_files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <netdb.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    RUN_UPSTREAM,
    RUN_LISTEN,
    RUN_STATE,
    RUN_SERVICE,
    RUN_MODE,
    RUN_TRUST,
    RUN_WORKERS,
    RUN_USER,
    RUN_LOG,
    RUN_REVISION,
    RUN_NGINX,
    RUN_MODULE,
    RUN_EGRESS,
    RUN_EGRESS_PROXY,
    RUN_EGRESS_ALLOW,
    RUN_EGRESS_CA,
    RUN_EGRESS_TRACE,
    RUN_CONSOLE,
    RUN_CONSOLE_FILES,
    RUN_ALSO,
    RUN_DRAIN,
    RUN_PROBE,
    RUN_GUARDIAN,
    RUN_PARENT,
    RUN_PARENT_TOKEN,
    RUN_PARENT_CA,
    RUN_POLICY_KEY,
    RUN_POD,
    RUN_POD_SENSOR
};
enum {
    START_WAIT_MS = 15000,
    STOP_WAIT_MS = 10000,
    LOCK_WAIT_MS = 5000,
    POLICY_WAIT_MS = 300,      /* for a parent's: a pod that lives a minute can't wait for long */
    OWN_POLICY_WAIT_MS = 3000, /* which takes nothing but time of this machine */
    RETRY_MAX_MS = 30000,
    STABLE_MS = 60000
};

static const struct option_spec options[] = {
    {"upstream", "URL", "the service: http://host:port or https://host:port (required)"},
    {"listen", "ADDR", "address:port to listen on (default 127.0.0.1:8080)"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"service", "NAME", "name of the service (default \"service\")"},
    {"mode", "MODE", "observe, alert or block; without it the Guardian's (alert at first)"},
    {"trust", "CIDR", "proxies whose X-Forwarded-For names the client"},
    {"workers", "N", "nginx workers (default auto)"},
    {"user", "NAME", "account of nginx's workers when run by root (default www-data)"},
    {"access-log", "FILE", "write one line per request with verdict and reason"},
    {"revision", "TEXT", "the service's revision, or where it stands: file:PATH, env:NAME"},
    {"nginx", "FILE", "the nginx program (default: /usr/sbin/nginx or below /usr/local)"},
    {"module", "FILE", "the gate's module (default: beside this program)"},
    {"egress", "LISTEN=URL",
     "send the service's calls to URL through LISTEN (a port or address:port); repeatable"},
    {"egress-proxy", "LISTEN", "a forward proxy for the service's plain http calls; repeatable"},
    {"egress-allow", "CIDR", "who may use these beside this machine"},
    {"egress-ca", "FILE", "certificates to verify https destinations with (default the system's)"},
    {"egress-trace", "WORD", "on, off or sampled: traceparent for the service (default on)"},
    {"console", "ADDR", "serve the web console and the API on this address of loopback"},
    {"console-files", "DIR", "the console's files (default: beside this program)"},
    {"also", "LISTEN=URL", "another port of the same service; repeatable"},
    {"drain", "TIME", "after SIGTERM go on so long before it ends (default not at all)"},
    {"probe", "PATH",
     "answer /.guard/probe as the service answers a GET of that path; never learned"},
    {"guardian", "FILE", "the service's Guardian; taken over again when it changes"},
    {"parent", "URL", "the guardd that learns, instead of this one"},
    {"parent-token", "FILE", "holds the token for the parent"},
    {"parent-ca", "FILE", "certificates that the parent's must be signed by"},
    {"policy-key", "FILE", "the parent's public key"},
    {"pod", "NAMESPACE/POD/UID", "the pod that this runs in: the parent can withdraw it"},
    {"pod-sensor", "WHO", "watch this pod, as guardd's option of this name: workload=..,pod=.."},
    {NULL, NULL, NULL},
};

static volatile sig_atomic_t stop_requested;

static void on_signal(int number)
{
    (void)number;
    stop_requested += stop_requested < 2;
}

static void pause_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

/* What goes into a configuration file as it is must not end a directive. */
static bool plain(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool letter =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!letter && strchr(".:/-_[]%@~+,=", *c) == NULL)
            return false;
    }
    return text[0] != '\0';
}

/* A path stands there in quotes: only what ends or changes a quoted text is refused. */
static bool quotable(const char *path)
{
    for (const char *c = path; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f || strchr("\"\\$", *c) != NULL)
            return false;
    }
    return path[0] != '\0';
}

static bool first_executable(char out[STATE_PATH_MAX], const char *const *candidates)
{
    for (; *candidates != NULL; candidates++) {
        if (access(*candidates, R_OK) == 0) {
            int len = snprintf(out, STATE_PATH_MAX, "%s", *candidates);
            return len > 0 && len < STATE_PATH_MAX;
        }
    }
    return false;
}

/* The absolute name of what exists; false when there is none or it is too long. */
static bool resolve(const char *path, char out[STATE_PATH_MAX])
{
    char full[PATH_MAX];
    if (realpath(path, full) == NULL)
        return false;
    int len = snprintf(out, STATE_PATH_MAX, "%s", full);
    return len > 0 && len < STATE_PATH_MAX;
}

static bool find_programs(struct run_settings *settings, const struct arguments *arguments)
{
    char own[STATE_PATH_MAX];
    char guardd[STATE_PATH_MAX + 16];
    char built[STATE_PATH_MAX + 64];
    char installed[STATE_PATH_MAX + 64];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash != NULL)
        *slash = '\0';
    snprintf(guardd, sizeof(guardd), "%s/guardd", own);
    snprintf(built, sizeof(built), "%s/../modules/ngx_http_guard_module.so", own);
    snprintf(installed, sizeof(installed), "%s/../lib/nginx/modules/ngx_http_guard_module.so", own);
    const char *const nginxes[] = {
        arguments->values[RUN_NGINX] != NULL ? arguments->values[RUN_NGINX] : "/usr/sbin/nginx",
        arguments->values[RUN_NGINX] != NULL ? NULL : "/usr/local/sbin/nginx",
        "/usr/local/nginx/sbin/nginx", NULL};
    const char *const daemons[] = {guardd, "/usr/sbin/guardd", "/usr/bin/guardd",
                                   "/usr/local/bin/guardd", NULL};
    const char *const modules[] = {
        arguments->values[RUN_MODULE] != NULL ? arguments->values[RUN_MODULE] : built,
        arguments->values[RUN_MODULE] != NULL ? NULL
                                              : "/usr/lib/nginx/modules/ngx_http_guard_module.so",
        arguments->values[RUN_MODULE] != NULL ? NULL : installed, NULL};
    if (!first_executable(settings->nginx, nginxes))
        return complain(0, "no nginx program found; give --nginx FILE") != 0;
    if (!first_executable(settings->guardd, daemons))
        return complain(0, "guardd isn't beside this program") != 0;
    char module[STATE_PATH_MAX];
    if (!first_executable(module, modules) || !resolve(module, settings->module))
        return complain(0, "the gate's module isn't found; give --module FILE") != 0;
    return true;
}

static const char *port_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon != NULL ? colon + 1 : address;
}

/* One address can't be both; of all addresses, as 0.0.0.0:8080, loopback is one. */
static bool same_place(const char *listen, const char *console)
{
    bool all = strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0 ||
               strncmp(listen, "*:", 2) == 0 || strchr(listen, ':') == NULL;
    return strcmp(listen, console) == 0 || (all && strcmp(port_of(listen), port_of(console)) == 0);
}

static bool settings_fit(const struct run_settings *settings)
{
    const char *console = settings->console.listen;
    if (console != NULL && same_place(settings->listen, console))
        return complain(0,
                        "--console %s and --listen %s are one address: give the console another "
                        "port",
                        console, settings->listen) != 0;
    const char *const texts[] = {settings->upstream, settings->listen, settings->user,
                                 settings->workers,  settings->trust,  settings->console.listen};
    const char *const paths[] = {settings->state, settings->module, settings->access_log,
                                 settings->revision,
                                 settings->console.listen != NULL ? settings->console.files : NULL};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i] != NULL && !plain(texts[i]))
            return complain(0, "\"%s\" can't stand in a configuration", texts[i]) != 0;
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (paths[i] != NULL && !quotable(paths[i]))
            return complain(0, "\"%s\" can't stand in a configuration", paths[i]) != 0;
    }
    return true;
}

static bool read_settings(struct run_settings *settings, const struct arguments *arguments)
{
    static const char *const defaults[] = {[RUN_LISTEN] = "127.0.0.1:8080",
                                           [RUN_SERVICE] = "service",
                                           [RUN_WORKERS] = "auto",
                                           [RUN_USER] = "www-data"};
    const char *const *values = arguments->values;
    struct guard_err err;
    settings->upstream = values[RUN_UPSTREAM];
    settings->listen = values[RUN_LISTEN] != NULL ? values[RUN_LISTEN] : defaults[RUN_LISTEN];
    settings->service = values[RUN_SERVICE] != NULL ? values[RUN_SERVICE] : defaults[RUN_SERVICE];
    settings->workers = values[RUN_WORKERS] != NULL ? values[RUN_WORKERS] : defaults[RUN_WORKERS];
    settings->user = values[RUN_USER] != NULL ? values[RUN_USER] : defaults[RUN_USER];
    settings->trust = values[RUN_TRUST];
    settings->access_log = values[RUN_LOG];
    settings->revision = values[RUN_REVISION];
    if (settings->upstream == NULL || !sidecar_is_upstream(settings->upstream))
        return complain(0, "--upstream must be http://host:port or https://host:port") != 0;
    struct guard_span name = {(const uint8_t *)settings->service, strlen(settings->service)};
    if (!state_service_valid(name))
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    static const struct egress_options egress = {RUN_EGRESS, RUN_EGRESS_PROXY, RUN_EGRESS_ALLOW,
                                                 RUN_EGRESS_CA, RUN_EGRESS_TRACE};
    if (!egress_read(&settings->egress, arguments, &egress, settings->service))
        return false;
    static const struct sidecar_options sidecar = {
        RUN_ALSO,         RUN_DRAIN,     RUN_PROBE,      RUN_GUARDIAN, RUN_PARENT,
        RUN_PARENT_TOKEN, RUN_PARENT_CA, RUN_POLICY_KEY, RUN_POD,      RUN_POD_SENSOR};
    if (!sidecar_read(&settings->sidecar, arguments, &sidecar))
        return false;
    if (settings->sidecar.parent != NULL && values[RUN_MODE] != NULL)
        return complain(0, "with --parent the mode is the parent's") != 0;
    sidecar_follow(&settings->sidecar, settings->service,
                   settings->egress.count > 0 ? settings->egress.service : NULL);
    const char *dir = state_dir(values[RUN_STATE]);
    if (state_prepare(dir, &err) != GUARD_OK) {
        bool ours = geteuid() == 0 || values[RUN_STATE] != NULL || getenv("GUARD_STATE") != NULL;
        return complain(0, "%s%s", err.text,
                        ours ? ""
                             : " (as an ordinary user say --state DIR, or set GUARD_STATE, with a "
                               "directory of your own)") != 0;
    }
    if (!resolve(dir, settings->state))
        return complain(0, "%s: %s", dir, strerror(errno)) != 0;
    return console_read(&settings->console, values[RUN_CONSOLE], values[RUN_CONSOLE_FILES],
                        settings->state, settings->user) &&
           find_programs(settings, arguments) && settings_fit(settings);
}

/* As root, nginx's workers run under another account: they own the rings, and read policies and
 * bypasses by their group. */
static bool share_with_workers(const struct run_settings *settings)
{
    static const char *const read_folders[] = {"",          "policies", "bypass",
                                               "withdrawn", "verdicts", "patterns"};
    char path[STATE_PATH_MAX];
    const struct guard_span none = {NULL, 0};
    if (geteuid() != 0)
        return true;
    const struct passwd *account = getpwnam(settings->user);
    if (account == NULL)
        return complain(0, "no account \"%s\": give --user NAME", settings->user) != 0;
    for (size_t i = 0; i < sizeof(read_folders) / sizeof(read_folders[0]); i++) {
        if (state_path(path, settings->state, read_folders[i], none, "") != GUARD_OK ||
            chown(path, 0, account->pw_gid) != 0 || chmod(path, 02750) != 0)
            return complain(0, "%s: can't be shared with %s: %s", path, settings->user,
                            strerror(errno)) != 0;
    }
    if (state_path(path, settings->state, "rings", none, "") != GUARD_OK ||
        chown(path, account->pw_uid, account->pw_gid) != 0 || chmod(path, 0750) != 0)
        return complain(0, "%s: can't be given to %s: %s", path, settings->user, strerror(errno)) !=
               0;
    return true;
}

/* Folders above ours may be closed to the account: found out now, not by a gate that never learns.
 */
static bool workers_reach_state(const struct run_settings *settings)
{
    char path[STATE_PATH_MAX];
    int status = 0;
    const struct passwd *account = geteuid() == 0 ? getpwnam(settings->user) : NULL;
    if (account == NULL)
        return true;
    if (state_path(path, settings->state, "rings", (struct guard_span){NULL, 0}, "") != GUARD_OK)
        return false;
    pid_t pid = fork();
    /* With the groups that nginx gives its workers: ours may open what theirs don't. */
    if (pid == 0)
        _exit(setgid(account->pw_gid) == 0 && initgroups(settings->user, account->pw_gid) == 0 &&
                      setuid(account->pw_uid) == 0 && access(path, W_OK | X_OK) == 0
                  ? 0
                  : 1);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return complain(0,
                        "%s: account %s can't get there: open the folders above it, or give --user "
                        "or --state",
                        path, settings->user) != 0;
    return true;
}

/* Waits for who ends just now: children of a killed `guard run` do. */
static int lock_within(const char *path, uint64_t wait_ms)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    for (uint64_t start = clock_unix_ms(); fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;) {
        if (errno != EINTR && (errno != EWOULDBLOCK || clock_unix_ms() - start > wait_ms)) {
            int reason = errno;
            close(fd);
            errno = reason;
            return -1;
        }
        pause_ms(50);
    }
    return fd;
}

/* One `guard run` per state directory, and none beside a guardd: it would overwrite the other's
 * nginx.conf, and its guardd would never start. Our lock is held until the end; guardd takes its
 * own. */
static bool take_state(const struct run_settings *settings)
{
    static const char *const names[] = {"run.lock", "guardd.lock"};
    char path[STATE_PATH_MAX];
    int fd = -1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (state_path(path, settings->state, "", (struct guard_span){NULL, 0}, names[i]) !=
            GUARD_OK)
            return complain(0, "%s: the path is too long", settings->state) != 0;
        fd = lock_within(path, LOCK_WAIT_MS);
        if (fd < 0 && errno == EWOULDBLOCK)
            return complain(0, "%s: another `guard run` or guardd uses this directory",
                            settings->state) != 0;
        if (fd < 0)
            return complain(0, "%s: %s", path, strerror(errno)) != 0;
    }
    close(fd);
    return true;
}

static bool set_mode(const struct run_settings *settings, const char *service, const char *text)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct guard_guardian guardian;
    struct guard_span name = {(const uint8_t *)service, strlen(service)};
    enum guard_mode mode;
    if (!read_mode(text, &mode))
        return false;
    guard_arena_init(&arena, &heap, (size_t)16 << 20);
    bool good = state_guardian(settings->state, name, &arena, &guardian);
    if (good) {
        guard_guardian_set_mode(&guardian, mode);
        good = state_guardian_save(settings->state, &guardian, &arena);
    }
    guard_arena_reset(&arena);
    return good;
}

/* An empty Guardian makes guardd publish a policy before the first request. */
static bool ensure_guardian(const struct run_settings *settings, const char *service,
                            const char *mode)
{
    char path[STATE_PATH_MAX];
    struct guard_span name = {(const uint8_t *)service, strlen(service)};
    if (mode != NULL)
        return set_mode(settings, service, mode);
    if (state_path(path, settings->state, "guardians", name, ".yaml") == GUARD_OK &&
        access(path, F_OK) == 0)
        return true;
    return set_mode(settings, service, guard_mode_name(GUARD_MODE_ALERT));
}

/* Of the service, and of its calls when they come through us. */
static bool ensure_guardians(struct run_settings *settings, const char *mode)
{
    if (settings->sidecar.parent != NULL)
        return true; /* they are its */
    if (settings->sidecar.guardian != NULL &&
        !sidecar_guardian(&settings->sidecar, settings->state, settings->service, mode))
        return false;
    return ensure_guardian(settings, settings->service, mode) &&
           (settings->egress.count == 0 ||
            ensure_guardian(settings, settings->egress.service, mode));
}

static bool answers(const char *listen)
{
    char host[256];
    const char *colon = strrchr(listen, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    size_t host_len = colon != NULL ? (size_t)(colon - listen) : 0;
    snprintf(host, sizeof(host), "%.*s", (int)host_len, listen);
    if (host[0] == '[' && host_len >= 2)
        snprintf(host, sizeof(host), "%.*s", (int)host_len - 2, listen + 1);
    if (host_len == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "*") == 0)
        snprintf(host, sizeof(host), "127.0.0.1");
    if (getaddrinfo(host, colon != NULL ? colon + 1 : listen, &hints, &found) != 0)
        return false;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0;
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return good;
}

struct running {
    struct run_settings settings;
    char conf[STATE_PATH_MAX];
    char prefix[STATE_PATH_MAX];
    struct child daemon;
    struct child nginx;
    const char *mode; /* NULL: the Guardian's */
};

static bool start_daemon(struct running *running)
{
    static char state[] = "--state";
    static char front[] = "--api-front=on";
    char group[96];
    struct console *console = &running->settings.console;
    char *argv[6 + SIDECAR_DAEMON_ARGS] = {running->settings.guardd, state,
                                           running->settings.state};
    int used = 3;
    if (console->listen != NULL)
        argv[used++] = front;
    if (console->group[0] != '\0') {
        snprintf(group, sizeof(group), "--api-group=%s", console->group);
        argv[used++] = group;
    }
    sidecar_daemon_arguments(&running->settings.sidecar, argv, used);
    return child_start(&running->daemon, argv);
}

static bool start_nginx(struct running *running)
{
    static char prefix[] = "-p";
    static char conf[] = "-c";
    static char log[] = "-e";
    char errors[STATE_PATH_MAX + 16];
    snprintf(errors, sizeof(errors), "%s/error.log", running->prefix);
    char *argv[] = {running->settings.nginx, prefix, running->prefix, conf,
                    running->conf,           log,    errors,          NULL};
    return child_start(&running->nginx, argv);
}

static bool has_ended(struct child *child)
{
    int status = 0;
    if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
        return false;
    log_event("alarm", "child-ended", (struct guard_span){NULL, 0}, "%s ended (%s %d)", child->name,
              WIFSIGNALED(status) ? "signal" : "status",
              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    child->pid = 0;
    return true;
}

static bool wait_until(struct running *running, bool (*done)(const struct running *running),
                       struct child *child, const char *what)
{
    uint64_t start = clock_unix_ms();
    while (!stop_requested) {
        if (done(running))
            return true;
        if (has_ended(child) || clock_unix_ms() - start > START_WAIT_MS)
            return complain(0, "%s; see the messages above and %s/error.log", what,
                            running->prefix) != 0;
        pause_ms(20);
    }
    return false;
}

static bool key_is_there(const struct running *running)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    return state_path(path, running->settings.state, "keys", (struct guard_span){NULL, 0},
                      "policy.pub") == GUARD_OK &&
           stat(path, &info) == 0 && info.st_size > 0;
}

static bool policy_is_there(const struct running *running)
{
    char path[STATE_PATH_MAX];
    const char *service = running->settings.service;
    return state_path(path, running->settings.state, "policies",
                      (struct guard_span){(const uint8_t *)service, strlen(service)},
                      ".policy") == GUARD_OK &&
           access(path, F_OK) == 0;
}

/* The gate takes what lies there when it starts, so the first request is judged. Who doesn't get it
 * in time starts without: a gate that waits for its parent would be an outage. */
static void await_policy(const struct running *running)
{
    uint64_t start = clock_monotonic_ms();
    bool has_parent = running->settings.sidecar.parent != NULL;
    uint64_t most = has_parent ? POLICY_WAIT_MS : OWN_POLICY_WAIT_MS;
    while (!stop_requested && !policy_is_there(running)) {
        if (clock_monotonic_ms() - start >= most) {
            const char *service = running->settings.service;
            log_event("warn", "begins-without-policy",
                      (struct guard_span){(const uint8_t *)service, strlen(service)},
                      "none within %llu ms; requests pass until it comes, and are counted",
                      (unsigned long long)most);
            return;
        }
        pause_ms(10);
    }
}

static bool nginx_answers(const struct running *running)
{
    return answers(running->settings.listen);
}

/* Restarts what ended, slower with every failure in a row. */
static void revive(struct running *running, struct child *child,
                   bool (*start)(struct running *running))
{
    uint64_t now = clock_unix_ms();
    if (has_ended(child)) {
        child->failures = now - child->started_ms > STABLE_MS ? 0 : child->failures + 1;
        uint64_t delay = (uint64_t)100 << (child->failures < 9 ? child->failures : 9);
        child->retry_ms = now + (delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS);
    }
    if (child->pid == 0 && now >= child->retry_ms)
        (void)start(running);
}

static void say_draining(const struct running *running, bool draining)
{
    char path[STATE_PATH_MAX];
    const char *state = running->settings.state;
    struct guard_err err;
    if (state_path(path, state, "", (struct guard_span){NULL, 0}, STATE_DRAINING) != GUARD_OK)
        return;
    if (!draining)
        (void)unlink(path); /* also of one that was killed */
    else if (file_replace(path, (struct guard_span){NULL, 0}, 0640, false, &err) != GUARD_OK)
        log_event("warn", "draining-not-told", (struct guard_span){NULL, 0}, "%s", err.text);
}

/* Until a signal; then for the time that others need to learn that we end, or a second one. */
static void go_on(struct running *running)
{
    struct run_settings *settings = &running->settings;
    uint64_t stop_ms = 0;
    for (uint32_t turn = 0; stop_requested < 2; turn++) {
        if (stop_requested && stop_ms == 0) {
            stop_ms = clock_monotonic_ms() + settings->sidecar.drain_ms;
            say_draining(running, settings->sidecar.drain_ms > 0);
        }
        if (stop_requested && clock_monotonic_ms() >= stop_ms)
            break;
        revive(running, &running->daemon, start_daemon);
        revive(running, &running->nginx, start_nginx);
        if (turn % 10 == 0)
            sidecar_watch(&settings->sidecar, settings->state, settings->service, running->mode);
        pause_ms(100);
    }
}

static int supervise(struct running *running)
{
    const struct egress *egress = &running->settings.egress;
    if (!start_daemon(running) ||
        !wait_until(running, key_is_there, &running->daemon, "guardd doesn't start"))
        return EXIT_FAILED;
    if (answers(running->settings.listen))
        return complain(EXIT_FAILED, "%s is in use already", running->settings.listen);
    if (running->settings.console.listen != NULL && answers(running->settings.console.listen))
        return complain(EXIT_FAILED, "%s is in use already", running->settings.console.listen);
    for (int i = 0; i < egress->count; i++) {
        if (answers(egress->listeners[i].listen))
            return complain(EXIT_FAILED, "%s is in use already", egress->listeners[i].listen);
    }
    await_policy(running);
    if (!start_nginx(running) ||
        !wait_until(running, nginx_answers, &running->nginx, "nginx doesn't start"))
        return EXIT_FAILED;
    printf("guard: listening on http://%s\n", running->settings.listen);
    for (int i = 0; i < egress->count; i++)
        printf("guard: calls to %s through http://%s\n",
               egress->listeners[i].destination[0] != '\0' ? egress->listeners[i].destination
                                                           : "any host",
               egress->listeners[i].listen);
    if (running->settings.console.listen != NULL)
        printf("guard: the console is at http://%s/console/\n", running->settings.console.listen);
    fflush(stdout);
    go_on(running);
    return EXIT_GOOD;
}

static int run(const struct arguments *arguments)
{
    static struct running running = {.daemon = {.name = "guardd"}, .nginx = {.name = "nginx"}};
    struct sigaction action = {.sa_handler = on_signal};
    const char *mode = arguments->values[RUN_MODE];
    running.mode = mode;
    if (arguments->count != 0)
        return complain(EXIT_USAGE, "there are no operands; see guard run --help");
    state_share();
    if (!read_settings(&running.settings, arguments))
        return EXIT_USAGE;
    if (!take_state(&running.settings) || !share_with_workers(&running.settings) ||
        !workers_reach_state(&running.settings) || !ensure_guardians(&running.settings, mode) ||
        state_path(running.prefix, running.settings.state, "nginx", (struct guard_span){NULL, 0},
                   "") != GUARD_OK ||
        !nginx_conf_write(&running.settings, running.conf))
        return EXIT_FAILED;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    say_draining(&running, false);
    int status = supervise(&running);
    child_stop(&running.nginx, SIGQUIT, STOP_WAIT_MS);
    child_stop(&running.daemon, SIGTERM, STOP_WAIT_MS);
    say_draining(&running, false);
    return status;
}

const struct command command_run = {
    .name = "run",
    .usage = "--upstream URL",
    .summary = "protect a service: nginx with the gate, and guardd",
    .details = "Starts both, supervises them, and ends them cleanly on SIGTERM or Ctrl-C. A system "
               "nginx is never touched.\n"
               "Change the mode with guard mode, see guard status and guard alerts.",
    .options = options,
    .run = run,
};
