/* SPDX-License-Identifier: Apache-2.0 */
/* The nginx configuration of `guard run`: one server in front of one upstream, everything below the
 * state directory, nothing of a system nginx touched. */
#include "run.h"

#include "command.h"
#include "common/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char head[] =
    "# Written by `guard run` at every start: changes are lost.\n"
    "load_module \"%s\";\n"
    "%s%s%s"
    "worker_processes %s;\n"
    "daemon off;\n"
    "pid \"%s/nginx.pid\";\n"
    "error_log \"%s/error.log\" notice;\n"
    "events { worker_connections 4096; }\n"
    "http {\n"
    "    log_format guard '$remote_addr [$time_iso8601] \"$request_method "
    "$uri\" $status $guard_verdict $guard_action '\n"
    "                     'generation=$guard_generation $guard_id \"$guard_reason\"';\n"
    "    access_log \"%s\"%s;\n"
    "    client_body_temp_path \"%s/body\";\n"
    "    proxy_temp_path \"%s/proxy\";\n"
    "    fastcgi_temp_path \"%s/fastcgi\";\n"
    "    uwsgi_temp_path \"%s/uwsgi\";\n"
    "    scgi_temp_path \"%s/scgi\";\n"
    "    client_body_buffer_size 128k;\n"
    "    client_max_body_size 64m;\n"
    "    server_tokens off;\n"
    /* WebSocket alone: what else may be switched to, the service would speak unseen. */
    "    map $http_upgrade $guard_upgrade { default \"\"; ~*^websocket$ websocket; }\n"
    "    map $guard_upgrade $guard_connection { default \"\"; websocket upgrade; }\n"
    "    guard_state \"%s\";\n"
    "    guard_policy_key \"%s/keys/policy.pub\";\n";

static const char server[] =
    "    upstream protected%d { server %s; keepalive 64; }\n"
    "    server {\n"
    "        listen %s;\n"
    "        guard %s;\n"
    "%s%s%s%s%s%s%s"
    "        location / {\n"
    "            proxy_pass %s://protected%d;\n"
    "            proxy_http_version 1.1;\n"
    "            proxy_set_header Upgrade $guard_upgrade;\n"
    "            proxy_set_header Connection $guard_connection;\n"
    "            proxy_set_header Host $http_host;\n"
    "            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
    "            proxy_set_header X-Forwarded-Proto $scheme;\n"
    "        }\n"
    "        location = /.guard/ready { guard_ready; }\n"
    "%s"
    "    }\n";

/* Nothing of what the client sends reaches the service there. */
static const char probe[] = "        location = /.guard/probe {\n"
                            "            guard off;\n"
                            "            limit_except GET { deny all; }\n"
                            "            rewrite ^ %s? break;\n"
                            "            proxy_pass %s://protected0;\n"
                            "            proxy_http_version 1.1;\n"
                            "            proxy_pass_request_headers off;\n"
                            "            proxy_pass_request_body off;\n"
                            "            proxy_set_header Host localhost;\n"
                            "            proxy_set_header Content-Length \"\";\n"
                            "            proxy_set_header Connection \"\";\n"
                            "        }\n";

static int write_head(const struct run_settings *settings, const char *dir, char *out, size_t cap)
{
    bool root = geteuid() == 0;
    const char *log = settings->access_log != NULL ? settings->access_log : "off";
    return snprintf(out, cap, head, settings->module, root ? "user " : "",
                    root ? settings->user : "", root ? ";\n" : "", settings->workers, dir, dir, log,
                    settings->access_log != NULL ? " guard" : "", dir, dir, dir, dir, dir,
                    settings->state, settings->state);
}

static const char *scheme_of(const char *upstream)
{
    return strncmp(upstream, "https://", 8) == 0 ? "https" : "http";
}

/* The server of one port; 0 is the first. */
static int write_server(const struct run_settings *settings, int index, const char *listen,
                        const char *upstream, char *out, size_t cap)
{
    char trust[512] = "";
    char asked[1024] = "";
    bool egress = settings->egress.count > 0;
    bool revision = settings->revision != NULL;
    const char *scheme = scheme_of(upstream);
    if (settings->trust != NULL)
        snprintf(trust, sizeof(trust),
                 "        set_real_ip_from %s;\n        real_ip_header X-Forwarded-For;\n        "
                 "real_ip_recursive on;\n",
                 settings->trust);
    if (index == 0 && settings->sidecar.probe != NULL)
        snprintf(asked, sizeof(asked), probe, settings->sidecar.probe, scheme);
    return snprintf(out, cap, server, index, upstream + strlen(scheme) + 3, listen,
                    settings->service, trust, revision ? "        guard_revision \"" : "",
                    revision ? settings->revision : "", revision ? "\";\n" : "",
                    egress ? "        guard_trace " : "", egress ? settings->egress.trace : "",
                    egress ? ";\n" : "", scheme, index, asked);
}

/* -1: it doesn't fit. */
static int write_servers(const struct run_settings *settings, char *out, size_t cap)
{
    const struct sidecar *sidecar = &settings->sidecar;
    size_t len = 0;
    for (int i = 0; i <= sidecar->also_count; i++) {
        const char *listen = i == 0 ? settings->listen : sidecar->also[i - 1].listen;
        const char *upstream = i == 0 ? settings->upstream : sidecar->also[i - 1].upstream;
        int wrote = write_server(settings, i, listen, upstream, out + len, cap - len);
        if (wrote < 0 || (size_t)wrote >= cap - len)
            return -1;
        len += (size_t)wrote;
    }
    return (int)len;
}

bool nginx_conf_write(const struct run_settings *settings, char path[STATE_PATH_MAX])
{
    char dir[STATE_PATH_MAX];
    char text[16 * 1024];
    struct guard_err err;
    if (state_path(dir, settings->state, "nginx", (struct guard_span){NULL, 0}, "") != GUARD_OK ||
        state_path(path, settings->state, "nginx", (struct guard_span){NULL, 0}, "nginx.conf") !=
            GUARD_OK)
        return complain(0, "%s: the path is too long", settings->state) != 0;
    if (mkdir(dir, 0750) != 0 && errno != EEXIST)
        return complain(0, "%s: %s", dir, strerror(errno)) != 0;
    int len = write_head(settings, dir, text, sizeof(text));
    int servers_len = -1;
    if (len > 0 && (size_t)len < sizeof(text))
        servers_len = write_servers(settings, text + len, sizeof(text) - (size_t)len);
    len = servers_len >= 0 ? len + servers_len : -1;
    int egress_len = -1;
    if (len > 0 && (size_t)len < sizeof(text))
        egress_len = egress_conf(&settings->egress, text + len, sizeof(text) - (size_t)len);
    len = egress_len >= 0 ? len + egress_len : -1;
    int console_len = -1;
    if (len > 0 && (size_t)len < sizeof(text))
        console_len = console_conf(&settings->console, settings->state, text + len,
                                   sizeof(text) - (size_t)len);
    len = console_len >= 0 ? len + console_len : -1;
    if (len > 0 && (size_t)len < sizeof(text))
        len += snprintf(text + len, sizeof(text) - (size_t)len, "}\n");
    if (len <= 0 || (size_t)len >= sizeof(text))
        return complain(0, "the configuration is too long") != 0;
    if (file_replace(path, (struct guard_span){(const uint8_t *)text, (size_t)len}, 0640, false,
                     &err) != GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return true;
}
