/* SPDX-License-Identifier: Apache-2.0 */
/* A SIGBUS handler for mapped rings. Whoever may write the file can truncate it, and that must not
 * end a process that serves clients. */
#include "common/ring_fault.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { WATCHED_MAX = 32 };

static struct ring_map *volatile watched[WATCHED_MAX];
static struct sigaction previous;

static struct ring_map *map_at(uintptr_t address)
{
    for (int i = 0; i < WATCHED_MAX; i++) {
        struct ring_map *map = watched[i];
        if (map != NULL && address >= (uintptr_t)map->address &&
            address - (uintptr_t)map->address < map->len)
            return map;
    }
    return NULL;
}

static void hand_on(int number, siginfo_t *info, void *context)
{
    static volatile sig_atomic_t handing_on; /* the other handler may hand back to us */
    bool again = handing_on != 0;
    handing_on = 1;
    if (!again && (previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(number, info, context);
    } else if (!again && previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    } else {
        /* The access is repeated on return and then ends the process as if we weren't here. */
        struct sigaction standard;
        memset(&standard, 0, sizeof(standard));
        standard.sa_handler = SIG_DFL;
        sigaction(SIGBUS, &standard, NULL);
    }
    handing_on = 0;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    struct ring_map *map = info->si_code > 0 ? map_at((uintptr_t)info->si_addr) : NULL;
    /* All of it at once: the other pages may be gone as well. */
    if (map == NULL || mmap(map->address, map->len, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        hand_on(number, info, context);
        return;
    }
    map->broken = 1;
}

/* Again with each mapping: someone else may have taken the signal since. */
static bool install(void)
{
    struct sigaction ours, current;
    memset(&ours, 0, sizeof(ours));
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&ours.sa_mask);
    if (sigaction(SIGBUS, NULL, &current) != 0)
        return false;
    if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == on_fault)
        return true;
    previous = current;
    return sigaction(SIGBUS, &ours, NULL) == 0;
}

bool ring_fault_watch(struct ring_map *map)
{
    if (!install())
        return false;
    for (int i = 0; i < WATCHED_MAX; i++) {
        if (watched[i] == NULL) {
            watched[i] = map;
            return true;
        }
    }
    return false;
}

void ring_fault_unwatch(struct ring_map *map)
{
    for (int i = 0; i < WATCHED_MAX; i++) {
        if (watched[i] == map)
            watched[i] = NULL;
    }
}
