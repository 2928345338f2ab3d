/* SPDX-License-Identifier: Apache-2.0 */
/* Starts an nginx of its own in a temporary folder and talks plain HTTP/1.1 to it, a request after
 * the other on one connection. */
#include "eval_modsecurity.h"

#include "command.h"
#include "common/file.h"
#include "eval_wire.h"
#include "run.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NGINX "/usr/sbin/nginx"
#define CRS_SETUP "/etc/modsecurity/crs/crs-setup.conf"
#define CRS_RULES "/usr/share/modsecurity-crs/rules"

enum { START_MS = 60000, PATH_BYTES = 256, CONF_BYTES = 8192 };

struct eval_modsecurity {
    struct child child;
    char folder[PATH_BYTES];
    struct eval_wire wire;
    uint64_t refused;
};

/* The site's HTTP policy, as crs-setup.conf documents it (900200, 900220, 900250), fits what the
 * recorded clients use, alike for all data: that a client sends DELETE, plain text or
 * Accept-Charset isn't an attack found, and a host that is an address (920350) says where it was
 * recorded. eval_modsecurity_policy tells it. */
static const char rules[] =
    "SecRuleEngine On\n"
    "SecRequestBodyAccess On\n"
    "SecRule REQUEST_HEADERS:Content-Type \"(?:application(?:/soap\\+|/)|text/)xml\" "
    "\"id:'200000',phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML\"\n"
    "SecRule REQUEST_HEADERS:Content-Type \"application/json\" "
    "\"id:'200001',phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON\"\n"
    "SecRequestBodyLimit 67108864\n"
    "SecRequestBodyNoFilesLimit 67108864\n"
    "SecRequestBodyLimitAction ProcessPartial\n"
    "SecResponseBodyAccess Off\n"
    "SecAuditEngine Off\n"
    "SecStatusEngine Off\n"
    "Include " CRS_SETUP "\n"
    "SecAction \"id:200010,phase:1,nolog,pass,t:none,"
    "setvar:'tx.allowed_methods=GET HEAD POST OPTIONS PUT PATCH DELETE'\"\n"
    "SecAction \"id:200011,phase:1,nolog,pass,t:none,setvar:'tx.allowed_request_content_type="
    "|application/x-www-form-urlencoded| |multipart/form-data| |multipart/related| |text/xml| "
    "|application/xml| |application/soap+xml| |application/json| |application/cloudevents+json| "
    "|application/cloudevents-batch+json| |text/plain|'\"\n"
    "SecAction \"id:200012,phase:1,nolog,pass,t:none,setvar:'tx.restricted_headers="
    "/content-encoding/ /proxy/ /lock-token/ /content-range/ /if/'\"\n"
    "Include " CRS_RULES "/*.conf\n"
    "SecRuleRemoveById 920350\n";

static bool write_text(const char *folder, const char *name, const char *text)
{
    char path[PATH_BYTES + 64];
    struct guard_err err;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return file_replace(path, (struct guard_span){(const uint8_t *)text, strlen(text)}, 0600, false,
                        &err) == GUARD_OK ||
           complain(0, "%s", err.text) != 0;
}

static bool write_files(const struct eval_modsecurity *modsecurity, const char *module,
                        unsigned port)
{
    char conf[CONF_BYTES];
    const char *folder = modsecurity->folder;
    int len = snprintf(
        conf, sizeof(conf),
        "load_module \"%s\";\n%s"
        "daemon off; master_process off; worker_processes 1; pid %s/pid; error_log %s/error.log;\n"
        "events { worker_connections 64; }\n"
        "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;\n"
        "client_body_temp_path %s/body; proxy_temp_path %s/proxy; fastcgi_temp_path %s/fastcgi;\n"
        "uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;\n"
        "client_max_body_size 64m; client_body_buffer_size 1m; merge_slashes off;\n"
        "large_client_header_buffers 16 256k;\n"
        "server { listen unix:%s/service; location / { return 200 'ok'; } }\n"
        "server { listen 127.0.0.1:%u; server_name _; modsecurity on;\n"
        "modsecurity_rules_file %s/rules; location / { proxy_pass http://unix:%s/service; } } }\n",
        module, geteuid() == 0 ? "user root;\n" : "", folder, folder, folder, folder, folder,
        folder, folder, folder, port, folder, folder);
    return len > 0 && (size_t)len < sizeof(conf) && write_text(folder, "nginx.conf", conf) &&
           write_text(folder, "rules", rules);
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *place)
{
    (void)info;
    (void)flag;
    (void)place;
    return remove(path);
}

void eval_modsecurity_close(struct eval_modsecurity *modsecurity)
{
    if (modsecurity == NULL)
        return;
    eval_wire_close(&modsecurity->wire);
    child_stop(&modsecurity->child, SIGTERM, 5000);
    if (modsecurity->folder[0] != '\0')
        (void)nftw(modsecurity->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(modsecurity);
}

static bool start(struct eval_modsecurity *modsecurity, const char *module, unsigned port)
{
    char conf[PATH_BYTES + 32];
    char errors[PATH_BYTES + 32];
    char *argv[] = {(char[]){NGINX}, (char[]){"-c"}, conf, (char[]){"-e"}, errors, NULL};
    snprintf(conf, sizeof(conf), "%s/nginx.conf", modsecurity->folder);
    snprintf(errors, sizeof(errors), "%s/error.log", modsecurity->folder);
    if (!write_files(modsecurity, module, port))
        return false;
    modsecurity->child.name = "nginx with ModSecurity";
    if (!child_start(&modsecurity->child, argv))
        return false;
    uint64_t begin = clock_unix_ms();
    while (clock_unix_ms() - begin < START_MS) {
        struct timespec pause = {.tv_nsec = 50000000L};
        if (eval_wire_open(&modsecurity->wire, port))
            return true;
        if (child_ended(&modsecurity->child)) {
            modsecurity->child.pid = 0;
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

/* A folder and a port; another port when somebody else was faster. */
static bool start_somewhere(struct eval_modsecurity *modsecurity, const char *module)
{
    const char *base = getenv("TMPDIR");
    snprintf(modsecurity->folder, sizeof(modsecurity->folder), "%.*s/guard-eval.XXXXXX", 200,
             base != NULL ? base : "/tmp");
    if (mkdtemp(modsecurity->folder) == NULL) {
        modsecurity->folder[0] = '\0';
        return false;
    }
    for (int attempt = 0; attempt < 3; attempt++) {
        unsigned port = eval_wire_free_port();
        if (port != 0 && start(modsecurity, module, port))
            return true;
        child_stop(&modsecurity->child, SIGKILL, 1000);
    }
    return false;
}

struct eval_modsecurity *eval_modsecurity_open(const char *module, char why[256])
{
    const struct {
        const char *path;
        const char *package;
    } needs[] = {{NGINX, "nginx"},
                 {module, "libnginx-mod-http-modsecurity"},
                 {CRS_SETUP, "modsecurity-crs"},
                 {CRS_RULES, "modsecurity-crs"}};
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        if (access(needs[i].path, R_OK) != 0) {
            snprintf(why, 256, "%s isn't there (package %s)", needs[i].path, needs[i].package);
            return NULL;
        }
    }
    struct eval_modsecurity *modsecurity = calloc(1, sizeof(*modsecurity));
    if (modsecurity != NULL) {
        modsecurity->wire.socket = -1;
        if (start_somewhere(modsecurity, module))
            return modsecurity;
    }
    snprintf(why, 256, "nginx with %.180s doesn't start", module);
    eval_modsecurity_close(modsecurity);
    return NULL;
}

bool eval_modsecurity_judge(struct eval_modsecurity *modsecurity,
                            const struct guard_exchange *exchange, bool *block)
{
    unsigned status = eval_wire_ask(&modsecurity->wire, exchange);
    *block = status == 403;
    modsecurity->refused += status != 403 && status != 200;
    return status != 0 || complain(0, "nginx with ModSecurity doesn't answer") != 0;
}

const char *eval_modsecurity_policy(void)
{
    return "Core Rule Set as packaged, paranoia level 1; of its site policy are allowed: methods "
           "PUT "
           "PATCH DELETE (900200), content type text/plain (900220), header Accept-Charset "
           "(900250); "
           "off: a host that is an address (920350)";
}

uint64_t eval_modsecurity_refused(const struct eval_modsecurity *modsecurity)
{
    return modsecurity->refused;
}
