/* SPDX-License-Identifier: Apache-2.0 */
/* Benign traffic for the demo and the tests: many clients from addresses of their own, each with a
 * connection that is kept alive; all that they send follows from a seed. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 1000, SHOWN_MAX = 5, STALL_MS = 30000 };

struct run {
    struct demo_source source;
    struct sockaddr_in server;
    uint64_t exchanges; /* 0: until a signal */
    uint64_t clients;
    uint64_t first_client;
    uint64_t at_once; /* requests in flight */
    uint64_t turn;    /* whose client's turn it is */
    uint64_t seed;    /* of what is sent; the words come from source.seed */
    bool progress;
    bool words_only;
    bool port_only;
};

struct counts {
    uint64_t started, good, refused, failed;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static double now(void)
{
    struct timespec time = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void show_progress(const struct run *run, const struct counts *counts, bool end)
{
    static double last;
    uint64_t done = counts->good + counts->refused + counts->failed;
    if (!run->progress || (!end && now() - last < 0.1)) {
        return;
    }
    last = now();
    int filled = run->exchanges > 0 ? (int)(done * 40 / run->exchanges) : 0;
    (void)fprintf(stderr, "\r  [%.*s%*s] %llu exchanges%s", filled,
                  "########################################", 40 - filled, "",
                  (unsigned long long)done, end ? "\n" : "");
}

static void count(struct counts *counts, const struct demo_client *client,
                  enum demo_progress progress)
{
    bool good = progress == DEMO_ANSWERED && client->status >= 200 && client->status < 300;
    uint64_t *counter = progress == DEMO_FAILED ? &counts->failed
                        : good                  ? &counts->good
                                                : &counts->refused;
    (*counter)++;
    if (!good && counts->refused + counts->failed <= SHOWN_MAX) {
        int line = (int)strcspn(client->request, "\r");
        const char *body = strstr(client->request, "\r\n\r\n");
        (void)fprintf(stderr, "guard-demo-traffic: %u for %.*s %.*s\n", client->status, line,
                      client->request,
                      body != NULL ? (int)(client->request + client->len - body - 4) : 0,
                      body != NULL ? body + 4 : "");
    }
}

/* Gives idle clients their next requests: the one after the last that got one is the first, so that
 * all have their turn. */
static void start_idle(struct run *run, struct demo_client *clients, uint64_t *states,
                       struct counts *counts)
{
    uint64_t done = counts->good + counts->refused + counts->failed;
    for (uint64_t n = 0; n < run->clients && !stopping; n++) {
        if (counts->started - done == run->at_once ||
            (run->exchanges > 0 && counts->started == run->exchanges)) {
            break;
        }
        uint64_t i = run->turn++ % run->clients;
        struct demo_client *client = &clients[i];
        if (!client->idle) {
            continue;
        }
        client->len = demo_request_write(client->request, &run->source,
                                         (uint32_t)(run->first_client + i), &states[i]);
        counts->started++;
        if (!demo_client_start(client, &run->server)) {
            (void)fprintf(stderr, "guard-demo-traffic: cannot connect: %s\n", strerror(errno));
            count(counts, client, DEMO_FAILED);
            stopping = 1;
        }
    }
}

/* Waits for answers; false when nothing has moved for too long. */
static bool step(struct run *run, struct demo_client *clients, struct counts *counts)
{
    struct pollfd watched[CLIENTS_MAX];
    for (uint64_t i = 0; i < run->clients; i++) {
        bool idle = clients[i].idle;
        watched[i] = (struct pollfd){idle ? -1 : clients[i].fd, demo_client_events(&clients[i]), 0};
    }
    int ready = poll(watched, (nfds_t)run->clients, STALL_MS);
    if (ready == 0) {
        (void)fputs("guard-demo-traffic: no answer for 30 s\n", stderr);
        return false;
    }
    for (uint64_t i = 0; i < run->clients && ready > 0; i++) {
        if (watched[i].revents == 0) {
            continue;
        }
        enum demo_progress progress = demo_client_step(&clients[i], &run->server);
        if (progress != DEMO_BUSY) {
            count(counts, &clients[i], progress);
        }
    }
    return true;
}

static bool converse(struct run *run, struct demo_client *clients, uint64_t *states,
                     struct counts *counts)
{
    for (;;) {
        start_idle(run, clients, states, counts);
        if (counts->good + counts->refused + counts->failed == counts->started) {
            return true;
        }
        if (!step(run, clients, counts)) {
            return false;
        }
        show_progress(run, counts, false);
    }
}

static int run_traffic(struct run *run)
{
    int status = 1;
    struct counts counts = {0};
    struct demo_client *clients = calloc(run->clients, sizeof(*clients));
    uint64_t *states = calloc(run->clients, sizeof(*states));
    double start = now();
    if (clients == NULL || states == NULL) {
        (void)fputs("guard-demo-traffic: out of memory\n", stderr);
        goto out;
    }
    for (uint64_t i = 0; i < run->clients; i++) {
        uint64_t number = run->first_client + i;
        demo_client_init(&clients[i], (uint32_t)number);
        states[i] = run->seed * 0xd1342543de82ef95U + number * 0xaf251af3b0f025b5U +
                    (run->source.fresh ? 7 : 3);
    }
    bool whole = converse(run, clients, states, &counts);
    show_progress(run, &counts, true);
    (void)printf("exchanges=%llu good=%llu refused=%llu failed=%llu clients=%llu seconds=%.2f\n",
                 (unsigned long long)counts.started, (unsigned long long)counts.good,
                 (unsigned long long)counts.refused, (unsigned long long)counts.failed,
                 (unsigned long long)run->clients, now() - start);
    status = whole && counts.started > 0 && counts.good == counts.started ? 0 : 1;
    for (uint64_t i = 0; i < run->clients; i++) {
        demo_client_fini(&clients[i]);
    }
out:
    free(states);
    free(clients);
    return status;
}

static void put_encoded(const char *text)
{
    for (; *text != '\0'; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || strchr("-._", *text) != NULL;
        (void)printf(plain ? "%c" : "%%%02X", plain ? *text : (unsigned char)*text);
    }
}

/* NAME=value lines for scripts. */
static void print_words(const struct run *run)
{
    char payload[DEMO_TEXT_SIZE];
    char name[DEMO_NAME_SIZE];
    demo_payload(payload, run->source.seed);
    demo_name(name, run->source.seed, 0);
    (void)printf("USERS_PATH=%s\nUSERS_PARAM=%s\nORDERS_PATH=%s\nORDERS_FIELD=%s\nBENIGN=%"
                 "s\nPAYLOAD=%s\nPAYLOAD_ENCODED=",
                 run->source.words.users_path, run->source.words.users_param,
                 run->source.words.orders_path, run->source.words.orders_field, name, payload);
    put_encoded(payload);
    (void)putchar('\n');
}

/* A port that was free a moment ago. */
static int print_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &len) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (ok) {
        (void)printf("%u\n", ntohs(address.sin_port));
    }
    return ok ? 0 : 1;
}

/* Takes http://ADDRESS:PORT, where ADDRESS is IPv4. */
static bool set_url(struct run *run, const char *url)
{
    char address[INET_ADDRSTRLEN];
    uint64_t port = 0;
    const char *scheme = "http://";
    if (strncmp(url, scheme, strlen(scheme)) != 0) {
        return false;
    }
    const char *host = url + strlen(scheme);
    const char *colon = strchr(host, ':');
    if (colon == NULL || (size_t)(colon - host) >= sizeof(address) ||
        strlen(host) >= DEMO_HOST_SIZE || !demo_number(&port, colon + 1, 1, UINT16_MAX)) {
        return false;
    }
    (void)snprintf(address, sizeof(address), "%.*s", (int)(colon - host), host);
    (void)snprintf(run->source.host, DEMO_HOST_SIZE, "%s", host);
    run->server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, address, &run->server.sin_addr) == 1;
}

static void usage(FILE *stream)
{
    (void)fputs(
        "Usage: guard-demo-traffic --url http://127.0.0.1:PORT [option]...\n"
        "Benign traffic for the service of Guard's demo. Status 0 when every answer was 2xx.\n"
        "  --exchanges N        how many (default 1000; 0: until SIGTERM)\n"
        "  --clients N          how many clients, each from a 127.X.Y.1 of its own (default 16)\n"
        "  --at-once N          how many requests may wait for an answer (default 16)\n"
        "  --first-client N     number of the first client, to come from other addresses (default "
        "0)\n"
        "  --seed N             what is drawn (default 0)\n"
        "  --names-from-seed N  endpoints, parameters and user names of this seed (default 0: "
        "/users?username=)\n"
        "  --fresh              only user names that were never used before\n"
        "  --progress           show a progress bar\n"
        "  --print-names        print the names and the attack of --names-from-seed as NAME=value "
        "lines and end\n"
        "  --free-port          print a free port and end\n",
        stream);
}

static const struct option options[] = {
    {"url", required_argument, NULL, 'u'},
    {"exchanges", required_argument, NULL, 'e'},
    {"clients", required_argument, NULL, 'c'},
    {"first-client", required_argument, NULL, 'i'},
    {"at-once", required_argument, NULL, 'a'},
    {"seed", required_argument, NULL, 's'},
    {"names-from-seed", required_argument, NULL, 'n'},
    {"fresh", no_argument, NULL, 'f'},
    {"progress", no_argument, NULL, 'p'},
    {"print-names", no_argument, NULL, 'w'},
    {"free-port", no_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool set_flag(struct run *run, int option)
{
    run->source.fresh = run->source.fresh || option == 'f';
    run->progress = run->progress || option == 'p';
    run->words_only = run->words_only || option == 'w';
    run->port_only = run->port_only || option == 'o';
    return strchr("fpwo", option) != NULL;
}

static bool set_option(struct run *run, int option)
{
    switch (option) {
    case 'u':
        return set_url(run, optarg);
    case 'e':
        return demo_number(&run->exchanges, optarg, 0, INT64_MAX);
    case 'c':
        return demo_number(&run->clients, optarg, 1, CLIENTS_MAX);
    case 'i':
        return demo_number(&run->first_client, optarg, 0, 50000);
    case 'a':
        return demo_number(&run->at_once, optarg, 1, CLIENTS_MAX);
    case 's':
        return demo_number(&run->seed, optarg, 0, UINT32_MAX);
    case 'n':
        return demo_number(&run->source.seed, optarg, 0, UINT32_MAX);
    default:
        return option != '?' && set_flag(run, option);
    }
}

int main(int argc, char **argv)
{
    static struct run run = {.exchanges = 1000, .clients = 16, .at_once = 16};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            usage(stdout);
            return 0;
        }
        if (!set_option(&run, option)) {
            usage(stderr);
            return 2;
        }
    }
    demo_source_init(&run.source, run.source.seed);
    if (run.words_only) {
        print_words(&run);
        return 0;
    }
    if (run.port_only) {
        return print_port();
    }
    if (run.server.sin_port == 0 || optind != argc) {
        usage(stderr);
        return 2;
    }
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    return run_traffic(&run);
}
