/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that are too large for an answer, and lists that are asked for again; against a server that
 * this test is itself. That of Kubernetes is in tests/integration/kubernetes. */
#include "common/kubernetes/informer.h"

#include "common/file.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { OBJECTS = 12 };

static char folder[32];
static char path[48];
static int listener;

struct world {
    struct informer informer;
    struct api_client *client;
    unsigned each; /* nodes of an object */
    unsigned objects;
    unsigned lists;
    unsigned smallest; /* page that was asked for */
    int watch;         /* the connection of one; -1: none */
};

static void take(void *ctx, enum informer_change change, const struct document_node *object)
{
    struct world *world = ctx;
    (void)object;
    if (change == INFORMER_LISTING)
        world->objects = 0;
    world->objects += change == INFORMER_OBJECT;
    world->lists += change == INFORMER_LISTED;
}

static void put(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, text, len);
        assert_true(wrote > 0);
        text += wrote;
        len -= (size_t)wrote;
    }
}

/* Objects from `first` on. */
static void answer_list(struct world *world, int fd, unsigned first, unsigned limit)
{
    size_t cap = (size_t)OBJECTS * (2 * (size_t)world->each + 64) + 256;
    char *body = malloc(cap);
    char head[128];
    size_t len = 0;
    unsigned end = first + limit < OBJECTS ? first + limit : OBJECTS;
    assert_non_null(body);
    len += (size_t)snprintf(body, cap, "{\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"");
    if (end < OBJECTS)
        len += (size_t)snprintf(body + len, cap - len, "c%u", end);
    len += (size_t)snprintf(body + len, cap - len, "\"},\"items\":[");
    for (unsigned i = first; i < end; i++) {
        len += (size_t)snprintf(body + len, cap - len, "%s{\"a\":[0", i > first ? "," : "");
        for (unsigned k = 1; k < world->each; k++) {
            body[len++] = ',';
            body[len++] = '0';
        }
        len += (size_t)snprintf(body + len, cap - len, "]}");
    }
    len += (size_t)snprintf(body + len, cap - len, "]}");
    int head_len = snprintf(head, sizeof(head),
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                            len);
    put(fd, head, (size_t)head_len);
    pid_t writer = fork(); /* who reads is this process */
    if (writer == 0) {
        put(fd, body, len);
        _exit(0);
    }
    free(body);
}

static void serve(struct world *world)
{
    char request[2048] = "";
    unsigned limit = 0, first = 0;
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    if (poll(&wait, 1, 0) <= 0)
        return;
    int fd = accept(listener, NULL, NULL);
    ssize_t len = read(fd, request, sizeof(request) - 1);
    assert_true(fd >= 0 && len > 0);
    if (strstr(request, "watch=1") != NULL) {
        static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
        put(fd, head, sizeof(head) - 1);
        if (world->watch >= 0)
            close(world->watch);
        world->watch = fd;
        return;
    }
    assert_int_equal(sscanf(strstr(request, "limit="), "limit=%u", &limit), 1);
    const char *next = strstr(request, "continue=c");
    if (next != NULL)
        assert_int_equal(sscanf(next, "continue=c%u", &first), 1);
    if (world->smallest == 0 || limit < world->smallest)
        world->smallest = limit;
    answer_list(world, fd, first, limit);
    close(fd);
}

static void turn(struct world *world)
{
    struct pollfd wait = {.fd = api_client_fd(world->client), .events = POLLIN};
    (void)poll(&wait, 1, 10);
    informer_tick(&world->informer, clock_monotonic_ms());
    api_client_run(world->client);
    serve(world);
}

static void begin(struct world *world, unsigned each)
{
    struct guard_err err;
    char server[64];
    struct kubernetes_config config = {.http.server = server};
    snprintf(server, sizeof(server), "unix:%s", path);
    *world = (struct world){.each = each, .watch = -1};
    assert_int_equal(api_client_open(&world->client, &config, "test", &err), GUARD_OK);
    world->informer =
        (struct informer){.client = world->client, .path = "/x", .take = take, .ctx = world};
}

static void end(struct world *world)
{
    api_client_close(world->client);
    informer_close(&world->informer);
    if (world->watch >= 0)
        close(world->watch);
}

static void test_objects_that_are_too_large_together_come_in_smaller_pages(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 100000); /* four of them are as much as a tree may have */
    while (world.lists == 0)
        turn(&world);
    assert_int_equal(world.objects, OBJECTS);
    assert_true(world.smallest < 4);
    assert_int_equal(world.informer.page, INFORMER_PAGE);
    end(&world);
}

static void test_small_ones_come_in_one_page(void **state)
{
    struct world world;
    (void)state;
    begin(&world, 10);
    while (world.lists == 0)
        turn(&world);
    assert_int_equal(world.objects, OBJECTS);
    assert_int_equal(world.smallest, INFORMER_PAGE);
    end(&world);
}

static void test_a_list_that_is_wanted_again_comes_with_the_next_event(void **state)
{
    static const char event[] =
        "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"resourceVersion\":\"8\"}}}\n";
    struct world world;
    (void)state;
    begin(&world, 10);
    while (world.lists == 0 || world.watch < 0)
        turn(&world);
    informer_relist(&world.informer);
    put(world.watch, event, sizeof(event) - 1);
    while (world.lists < 2)
        turn(&world);
    assert_int_equal(world.objects, OBJECTS);
    end(&world);
}

static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    signal(SIGCHLD, SIG_IGN);
    snprintf(folder, sizeof(folder), "/tmp/guard-inf-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/s", folder);
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    return bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                   listen(listener, 16) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    close(listener);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_that_are_too_large_together_come_in_smaller_pages),
        cmocka_unit_test(test_small_ones_come_in_one_page),
        cmocka_unit_test(test_a_list_that_is_wanted_again_comes_with_the_next_event),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
