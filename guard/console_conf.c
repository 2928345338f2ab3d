/* SPDX-License-Identifier: Apache-2.0 */
/* The server of the web console in the configuration of `guard run`: its files, and guardd's API
 * behind it. On loopback alone, since it speaks plain HTTP. */
#include "console.h"

#include "command.h"

#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static const char server[] =
    "    upstream guardd { server \"unix:%s/api-front.sock\"; keepalive 16; }\n"
    "    server {\n"
    "        listen %s;\n"
    "        client_max_body_size 256k;\n"
    "        client_body_buffer_size 256k;\n"
    "        proxy_http_version 1.1;\n"
    "        proxy_set_header Connection \"\";\n"
    "        proxy_set_header Host $http_host;\n"
    "        proxy_set_header X-Guard-Subject \"\";\n"
    "        proxy_set_header X-Guard-Front \"\";\n"
    "        proxy_set_header X-Guard-By \"\";\n"
    "        absolute_redirect off;\n"
    "        location = / { return 302 /console/; }\n"
    "        location / { return 404; }\n"
    "        location /api/v1/ { proxy_pass http://guardd; }\n"
    "        location = /api/v1/alerts/stream { proxy_pass http://guardd; proxy_buffering off; }\n"
    "        location /console/ {\n"
    "            alias \"%s/\";\n"
    "            index index.html;\n"
    "            types { text/html html; text/javascript js; text/css css; image/svg+xml svg; }\n"
    "            default_type application/octet-stream;\n"
    "            charset utf-8;\n"
    "            charset_types text/javascript text/css;\n"
    "            gzip on;\n"
    "            gzip_types text/javascript text/css image/svg+xml;\n"
    "            add_header Content-Security-Policy \"default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action "
    "'none'; frame-ancestors 'none'\" always;\n"
    "            add_header X-Content-Type-Options nosniff always;\n"
    "            add_header X-Frame-Options DENY always;\n"
    "            add_header Referrer-Policy no-referrer always;\n"
    "            add_header Cross-Origin-Opener-Policy same-origin always;\n"
    "            add_header Cross-Origin-Resource-Policy same-origin always;\n"
    "            add_header Cache-Control no-cache always;\n"
    "        }\n"
    "    }\n";

static bool on_loopback(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0 ||
           strncmp(listen, "localhost:", 10) == 0;
}

static bool is_there(const char *folder)
{
    char page[STATE_PATH_MAX + 16];
    snprintf(page, sizeof(page), "%s/index.html", folder);
    return access(page, R_OK) == 0;
}

/* As given, else beside this program, in a build folder or as it is installed. */
static bool find_files(struct console *console, const char *given)
{
    static const char *const places[] = {"../console", "../share/guard/console"};
    char own[STATE_PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash != NULL)
        *slash = '\0';
    if (given != NULL) {
        int n = snprintf(console->files, sizeof(console->files), "%s", given);
        return n > 0 && (size_t)n < sizeof(console->files) && is_there(console->files);
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int n = snprintf(console->files, sizeof(console->files), "%s/%s", own, places[i]);
        if (n > 0 && (size_t)n < sizeof(console->files) && is_there(console->files))
            return true;
    }
    return false;
}

bool console_read(struct console *console, const char *listen, const char *files, const char *state,
                  const char *user)
{
    const struct sockaddr_un *limit = NULL;
    console->listen = listen;
    if (listen == NULL)
        return files == NULL || complain(0, "--console-files needs --console") != 0;
    if (!on_loopback(listen))
        return complain(0, "--console must listen on loopback, as 127.0.0.1:8090: from elsewhere "
                           "it is reached by deploy/nginx/guardd.conf, with TLS") != 0;
    if (!find_files(console, files))
        return complain(0, "the console's files aren't there: build them (make ui), or give "
                           "--console-files DIR") != 0;
    if (strlen(state) + sizeof("/api-front.sock") > sizeof(limit->sun_path))
        return complain(0, "%s: too long for a socket of the console", state) != 0;
    const struct passwd *account = geteuid() == 0 ? getpwnam(user) : NULL;
    const struct group *group = account != NULL ? getgrgid(account->pw_gid) : NULL;
    if (group != NULL)
        snprintf(console->group, sizeof(console->group), "%s", group->gr_name);
    return true;
}

int console_conf(const struct console *console, const char *state, char *out, size_t cap)
{
    out[0] = '\0';
    if (console->listen == NULL)
        return 0;
    int len = snprintf(out, cap, server, state, console->listen, console->files);
    return len > 0 && (size_t)len < cap ? len : -1;
}
