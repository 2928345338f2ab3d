/* SPDX-License-Identifier: Apache-2.0 */
/* podwatch's command line, and which paths mean what unless it says more. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INTERVAL_MS = 10000, SECONDS_MAX = 600, FIRST_OPTION = 256 };

enum choice {
    RECORDS,
    STATUS,
    PODS,
    FALCO,
    NODE,
    INTERVAL,
    ROOT,
    CGROUP,
    WRITE,
    SECRET,
    HELP,
    VERSION,
    CHOICES
};

static const struct {
    const char *name;
    const char *argument;
    const char *help;
} choices[CHOICES] = {
    [RECORDS] = {"records", "DIR", "where records go: pods/ in guardd's state directory"},
    [STATUS] = {"status", "FILE", "what was counted, replaced each interval"},
    [PODS] = {"pods", "FILE", "the node's PodList in JSON, read again when it changes"},
    [FALCO] = {"falco", "FILE", "Falco's events in JSON, a line each; - is standard input"},
    [NODE] = {"node", "NAME", "of this node (its host name)"},
    [INTERVAL] = {"interval", "SECONDS", "of a record (10)"},
    [ROOT] = {"root", "NAME", "how the cgroup above all pods begins (kubepods)"},
    [CGROUP] = {"cgroup", "DIR", "the cgroup to attach to (the second version's root)"},
    [WRITE] = {"write", "PREFIX", "opening for writing is told of paths that begin so, too"},
    [SECRET] = {"secret", "PREFIX", "opening is told of paths that begin so, too"},
    [HELP] = {"help", NULL, "this text"},
    [VERSION] = {"version", NULL, "the version"},
};

/* Programs and libraries, and what makes others run; not /tmp: what is run of it is told as
 * dropped. */
static const char *const program_paths[] = {
    "/bin/",         "/sbin/",       "/usr/",       "/lib",         "/opt/",
    "/boot/",        "/root/",       "/etc/ld.so",  "/etc/cron",    "/etc/init",
    "/etc/systemd/", "/etc/profile", "/etc/passwd", "/etc/sudoers", "/var/spool/cron",
};
static const char *const secret_paths[] = {
    "/etc/shadow",       "/etc/gshadow",   "/root/.ssh/",        "/root/.aws/",     "/root/.kube/",
    "/var/run/secrets/", "/run/secrets/",  "/etc/kubernetes/",   "/proc/1/environ", "/proc/kcore",
    "/var/lib/kubelet/", "/root/.docker/", "/etc/ssh/ssh_host_",
};

static bool add_prefix(struct programs_cfg *cfg, const char *text, uint32_t class)
{
    size_t len = strlen(text);
    if (len == 0 || len > PREFIX_CAP || text[0] != '/' || cfg->prefix_count == PREFIXES)
        return false;
    struct path_prefix *prefix = &cfg->prefixes[cfg->prefix_count++];
    *prefix = (struct path_prefix){.class = class};
    memcpy(prefix->words, text, len);
    memset(prefix->mask, 0xff, len);
    return true;
}

static void set_defaults(struct podwatch_cfg *cfg)
{
    static char host[256];
    *cfg = (struct podwatch_cfg){.interval_ms = INTERVAL_MS, .node = "-"};
    cfg->programs.root = "kubepods";
    if (gethostname(host, sizeof(host) - 1) == 0 && host[0] != '\0')
        cfg->node = host;
}

/* Behind those of the command line: the first that fits counts. */
static void add_defaults(struct programs_cfg *cfg)
{
    for (size_t i = 0; i < sizeof(secret_paths) / sizeof(secret_paths[0]); i++)
        (void)add_prefix(cfg, secret_paths[i], PREFIX_SECRET);
    for (size_t i = 0; i < sizeof(program_paths) / sizeof(program_paths[0]); i++)
        (void)add_prefix(cfg, program_paths[i], PREFIX_PROGRAM);
}

static bool plain_name(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("/\"\\", text[i]) != NULL)
            return false;
    return len > 0 && len < 254;
}

static bool read_seconds(const char *text, uint64_t *ms)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long seconds = strtoul(text, &end, 10);
    *ms = seconds * 1000;
    return *end == '\0' && seconds >= 1 && seconds <= SECONDS_MAX;
}

static bool take(struct podwatch_cfg *cfg, int choice, const char *text)
{
    switch ((enum choice)choice) {
    case RECORDS:
        cfg->records = text;
        return true;
    case STATUS:
        cfg->status = text;
        return true;
    case PODS:
        cfg->pods = text;
        return true;
    case FALCO:
        cfg->falco = text;
        return true;
    case NODE:
        cfg->node = text;
        return plain_name(text);
    case INTERVAL:
        return read_seconds(text, &cfg->interval_ms);
    case ROOT:
        cfg->programs.root = text;
        return plain_name(text) && strlen(text) < ROOT_CAP;
    case CGROUP:
        cfg->programs.cgroup_dir = text;
        return true;
    case WRITE:
        return add_prefix(&cfg->programs, text, PREFIX_PROGRAM);
    case SECRET:
        return add_prefix(&cfg->programs, text, PREFIX_SECRET);
    case HELP:
    case VERSION:
    case CHOICES:
    default:
        return false;
    }
}

static int usage(FILE *out, int status)
{
    fputs("Usage: guard-podwatch --records DIR\n\n"
          "Watches what the pods of this node do and tells guardd.\n\n",
          out);
    for (int i = 0; i < CHOICES; i++)
        fprintf(out, "  --%s %-*s %s\n", choices[i].name, 18 - (int)strlen(choices[i].name),
                choices[i].argument != NULL ? choices[i].argument : "", choices[i].help);
    fputs("\nNeeds the capabilities BPF, PERFMON and NET_ADMIN, and gives up all others.\n"
          "SIGTERM ends it. Logs are JSON lines on standard error.\n",
          out);
    return status;
}

static int refuse(int choice, const char *text)
{
    fprintf(stderr, "guard-podwatch: --%s: \"%.100s\" can't be %s\n", choices[choice].name, text,
            choice == INTERVAL                    ? "the seconds of an interval: 1 to 600"
            : choice == WRITE || choice == SECRET ? "told: a path of at most 32 bytes from '/', "
                                                    "and not too many"
                                                  : "a name");
    return 2;
}

bool options_read(struct podwatch_cfg *cfg, int argc, char **argv, int *status)
{
    struct option options[CHOICES + 1] = {0};
    int found;
    for (int i = 0; i < CHOICES; i++)
        options[i] = (struct option){.name = choices[i].name,
                                     .has_arg = choices[i].argument != NULL,
                                     .val = FIRST_OPTION + i};
    set_defaults(cfg);
    *status = 2;
    while ((found = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int choice = found - FIRST_OPTION;
        if (choice == HELP)
            *status = usage(stdout, 0);
        else if (choice == VERSION)
            *status = printf("guard-podwatch %s\n", GUARD_VERSION) > 0 ? 0 : 1;
        else if (choice < 0)
            *status = usage(stderr, 2);
        else if (take(cfg, choice, optarg))
            continue;
        else
            *status = refuse(choice, optarg);
        return false;
    }
    if (cfg->records == NULL || optind != argc)
        usage(stderr, 2);
    add_defaults(&cfg->programs);
    return cfg->records != NULL && optind == argc;
}
