/* SPDX-License-Identifier: Apache-2.0 */
/* See egress.h: options, and the servers that nginx gets for them. What is written into the
 * configuration is made of a few harmless characters, whatever was asked for. */
#include "egress.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const certificate_files[] = {"/etc/ssl/certs/ca-certificates.crt",
                                                "/etc/pki/tls/certs/ca-bundle.crt",
                                                "/etc/ssl/cert.pem", NULL};

/* Names, addresses, ports. */
static bool plain(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool letter =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!letter && strchr(".-_:[]", *c) == NULL)
            return false;
    }
    return text[0] != '\0';
}

static bool is_port(const char *text)
{
    char *end = NULL;
    long port = strtol(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port > 0 && port <= 65535;
}

/* The port's colon in "host:port" or "[::1]:port"; NULL when there is none. */
static const char *port_colon(const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *bracket = strrchr(text, ']');
    return colon != NULL && (bracket == NULL || colon > bracket) ? colon : NULL;
}

static bool is_loopback(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0 ||
           strncmp(listen, "localhost:", 10) == 0;
}

/* A port alone is this machine's. */
static bool read_listen(const struct egress *egress, const char *text, size_t len,
                        char out[EGRESS_HOST_MAX])
{
    char address[EGRESS_HOST_MAX] = "";
    if (len < sizeof(address))
        memcpy(address, text, len);
    address[len < sizeof(address) ? len : 0] = '\0';
    int needed =
        snprintf(out, EGRESS_HOST_MAX, "%s%s", is_port(address) ? "127.0.0.1:" : "", address);
    const char *colon = port_colon(out);
    if (needed <= 0 || needed >= EGRESS_HOST_MAX || !plain(out) || colon == NULL || colon == out ||
        !is_port(colon + 1))
        return complain(0, "\"%.*s\" is no address:port to listen on", (int)(len < 256 ? len : 256),
                        text) != 0;
    if (egress->allow == NULL && !is_loopback(out))
        return complain(0,
                        "%s: who reaches this address could call as the service does; listen on "
                        "127.0.0.1, or say by --egress-allow CIDR who may",
                        out) != 0;
    return true;
}

/* So that nginx, which also serves the service itself, isn't stopped by a name. */
static bool resolves(const struct egress_listener *listener)
{
    char host[EGRESS_HOST_MAX];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    size_t len = strlen(listener->name);
    snprintf(host, sizeof(host), "%s", listener->name);
    if (host[0] == '[' && len > 2) {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    int rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc != 0)
        return complain(0, "--egress: %s: %s", listener->name, gai_strerror(rc)) != 0;
    freeaddrinfo(found);
    return true;
}

static bool read_url(const char *url, struct egress_listener *out)
{
    out->tls = strncmp(url, "https://", 8) == 0;
    if (!out->tls && strncmp(url, "http://", 7) != 0)
        return complain(0, "--egress is LISTEN=http://host[:port] or LISTEN=https://host[:port]") !=
               0;
    const char *host = url + (out->tls ? 8 : 7);
    size_t len = strlen(host);
    if (len > 0 && host[len - 1] == '/')
        len--;
    if (len == 0 || len >= EGRESS_HOST_MAX - 8)
        return complain(0, "--egress: \"%s\" names no host", url) != 0;
    snprintf(out->destination, sizeof(out->destination), "%.*s", (int)len, host);
    const char *colon = port_colon(out->destination);
    if (!plain(out->destination) || colon == out->destination ||
        (colon != NULL && !is_port(colon + 1)))
        return complain(0, "--egress: \"%s\" is no host or host:port; paths aren't allowed",
                        out->destination) != 0;
    const char *scheme_port = out->tls ? ":443" : ":80";
    int name_len = colon != NULL ? (int)(colon - out->destination) : (int)len;
    const char *port = colon != NULL ? host + name_len : scheme_port;
    int port_len = colon != NULL ? (int)len - name_len : (int)strlen(scheme_port);
    snprintf(out->name, sizeof(out->name), "%.*s", name_len, host);
    snprintf(out->server, sizeof(out->server), "%.*s%.*s", name_len, host, port_len, port);
    if (colon != NULL && strcmp(colon, scheme_port) == 0)
        out->destination[name_len] = '\0';
    return resolves(out);
}

static bool add_listener(struct egress *egress, const char *text, bool proxy)
{
    if (egress->count == EGRESS_MAX)
        return complain(0, "more than %d egress listeners", EGRESS_MAX) != 0;
    struct egress_listener *listener = &egress->listeners[egress->count++];
    const char *equals = proxy ? text + strlen(text) : strchr(text, '=');
    if (equals == NULL)
        return complain(0, "--egress is LISTEN=URL, as 127.0.0.1:9101=https://api.example.com") !=
               0;
    if (!read_listen(egress, text, (size_t)(equals - text), listener->listen))
        return false;
    return proxy || read_url(equals + 1, listener);
}

/* The system's name servers, as nginx's resolver wants them. */
static bool read_resolvers(struct egress *egress)
{
    char line[512];
    size_t len = 0;
    FILE *file = fopen("/etc/resolv.conf", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char address[64];
        if (sscanf(line, " nameserver %63s", address) != 1 || !plain(address))
            continue;
        bool wide = strchr(address, ':') != NULL;
        int put = snprintf(egress->resolvers + len, sizeof(egress->resolvers) - len, "%s%s%s%s",
                           len > 0 ? " " : "", wide ? "[" : "", address, wide ? "]" : "");
        if (put < 0 || (size_t)put >= sizeof(egress->resolvers) - len) {
            egress->resolvers[len] = '\0';
            break;
        }
        len += (size_t)put;
    }
    if (file != NULL)
        fclose(file);
    return true;
}

static bool find_certificates(struct egress *egress)
{
    bool needed = false;
    for (int i = 0; i < egress->count; i++)
        needed = needed || egress->listeners[i].tls;
    for (size_t i = 0; needed && egress->ca == NULL && certificate_files[i] != NULL; i++) {
        if (access(certificate_files[i], R_OK) == 0)
            egress->ca = certificate_files[i];
    }
    if (needed && egress->ca == NULL)
        return complain(0, "no certificates to verify https with; give --egress-ca FILE") != 0;
    if (egress->ca != NULL && strpbrk(egress->ca, "\"\\$\n") != NULL)
        return complain(0, "\"%s\" can't stand in a configuration", egress->ca) != 0;
    return true;
}

static bool read_words(struct egress *egress, const struct arguments *arguments,
                       const struct egress_options *options)
{
    egress->allow = arguments->values[options->allow];
    egress->ca = arguments->values[options->ca];
    egress->trace = arguments->values[options->trace];
    if (egress->trace == NULL)
        egress->trace = "on";
    if (strcmp(egress->trace, "on") != 0 && strcmp(egress->trace, "off") != 0 &&
        strcmp(egress->trace, "sampled") != 0)
        return complain(0, "--egress-trace is on, off or sampled") != 0;
    for (const char *c = egress->allow; c != NULL && *c != '\0'; c++) {
        if (strchr("0123456789abcdefABCDEF.:/", *c) == NULL)
            return complain(0, "--egress-allow: \"%s\" is no CIDR", egress->allow) != 0;
    }
    return true;
}

bool egress_read(struct egress *egress, const struct arguments *arguments,
                 const struct egress_options *options, const char *service)
{
    memset(egress, 0, sizeof(*egress));
    if (!read_words(egress, arguments, options))
        return false;
    for (int i = 0; i < arguments->given_count; i++) {
        const struct given_option *given = &arguments->given[i];
        bool proxy = given->option == options->proxy;
        if ((proxy || given->option == options->listener) &&
            !add_listener(egress, given->value, proxy))
            return false;
    }
    if (egress->count == 0)
        return true;
    int len = snprintf(egress->service, sizeof(egress->service), "%s.egress", service);
    if (len < 0 || (size_t)len >= sizeof(egress->service))
        return complain(0, "with --egress a service's name has at most %d characters",
                        STATE_SERVICE_MAX - 7) != 0;
    return read_resolvers(egress) && find_certificates(egress);
}

static void put_tls(const struct egress *egress, const struct egress_listener *listener, FILE *out)
{
    fprintf(out,
            "            proxy_ssl_server_name on;\n"
            "            proxy_ssl_name %s;\n"
            "            proxy_ssl_protocols TLSv1.2 TLSv1.3;\n"
            "            proxy_ssl_verify on;\n"
            "            proxy_ssl_verify_depth 5;\n"
            "            proxy_ssl_trusted_certificate \"%s\";\n",
            listener->name, egress->ca);
}

static void put_server(const struct egress *egress, int index, FILE *out)
{
    const struct egress_listener *listener = &egress->listeners[index];
    bool proxy = listener->destination[0] == '\0';
    if (!proxy)
        fprintf(out, "    upstream egress%d { server %s; keepalive 16; }\n", index,
                listener->server);
    fprintf(out, "    server {\n        listen %s;\n        guard %s;\n", listener->listen,
            egress->service);
    if (egress->allow != NULL)
        fprintf(out,
                "        allow 127.0.0.0/8;\n        allow ::1;\n        allow %s;\n"
                "        deny all;\n",
                egress->allow);
    if (proxy && egress->resolvers[0] != '\0')
        fprintf(out, "        resolver %s;\n", egress->resolvers);
    if (proxy)
        fputs("        guard_outbound on;\n"
              /* Sent to itself, a call would go round until no connection is left. */
              "        if ($http_via ~ guard-egress) { return 508; }\n"
              "        location / {\n"
              "            proxy_pass http://$guard_destination$request_uri;\n"
              "            proxy_set_header Via \"1.1 guard-egress\";\n"
              "            proxy_set_header Proxy-Connection \"\";\n"
              "            proxy_set_header Proxy-Authorization \"\";\n",
              out);
    else
        fprintf(out,
                "        guard_outbound on to=%s;\n        location / {\n"
                "            proxy_pass %s://egress%d;\n",
                listener->destination, listener->tls ? "https" : "http", index);
    if (listener->tls)
        put_tls(egress, listener, out);
    fprintf(out,
            "            proxy_http_version 1.1;\n"
            "            proxy_set_header Connection \"\";\n"
            "            proxy_set_header Host %s;\n"
            "        }\n    }\n",
            proxy ? "$guard_destination" : listener->destination);
}

int egress_conf(const struct egress *egress, char *out, size_t cap)
{
    if (egress->count == 0)
        return 0;
    FILE *file = fmemopen(out, cap, "w");
    if (file == NULL)
        return -1;
    for (int i = 0; i < egress->count; i++)
        put_server(egress, i, file);
    long len = ftell(file);
    bool good = fclose(file) == 0 && len > 0 && (size_t)len < cap;
    return good ? (int)len : -1;
}
