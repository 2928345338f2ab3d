/* SPDX-License-Identifier: Apache-2.0 */
/* Which services a state directory knows, by the names of its files: for completion, and so that a
 * mistyped name doesn't make a service of its own. */
#include "command.h"
#include "state_files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_MAX = 1024, LIST_MAX = 1024 };

static const struct {
    const char *folder;
    const char *suffix;
} kinds[] = {
    {"guardians", ".yaml"}, {"piles", ".pile"}, {"policies", ".policy"}, {"reviews", ".json"}};

struct names {
    char (*items)[STATE_SERVICE_MAX + 1];
    uint32_t count;
};

static void add(struct names *names, const char *file, const char *suffix)
{
    size_t len = strlen(file);
    size_t tail = strlen(suffix);
    if (len <= tail || strcmp(file + len - tail, suffix) != 0 || names->count == NAMES_MAX ||
        !state_service_valid((struct guard_span){(const uint8_t *)file, len - tail}))
        return;
    memcpy(names->items[names->count], file, len - tail);
    names->items[names->count++][len - tail] = '\0';
}

static void add_folder(struct names *names, const char *dir, const char *folder, const char *suffix)
{
    char path[STATE_PATH_MAX];
    const struct dirent *entry;
    if (state_path(path, dir, folder, (struct guard_span){NULL, 0}, "") != GUARD_OK)
        return;
    DIR *open_folder = opendir(path);
    while (open_folder != NULL && (entry = readdir(open_folder)) != NULL)
        add(names, entry->d_name, suffix);
    if (open_folder != NULL)
        closedir(open_folder);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

void state_services(const char *dir, void (*found)(void *ctx, const char *name), void *ctx)
{
    struct names names = {.items = malloc(NAMES_MAX * sizeof(*names.items))};
    if (names.items == NULL)
        return;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        add_folder(&names, dir, kinds[i].folder, kinds[i].suffix);
    qsort(names.items, names.count, sizeof(*names.items), compare);
    for (uint32_t i = 0; i < names.count; i++) {
        if (i == 0 || strcmp(names.items[i], names.items[i - 1]) != 0)
            found(ctx, names.items[i]);
    }
    free(names.items);
}

struct list {
    char text[LIST_MAX];
    size_t len;
};

static void append(void *ctx, const char *name)
{
    struct list *list = ctx;
    if (list->len + strlen(name) + 8 < sizeof(list->text))
        list->len += (size_t)snprintf(list->text + list->len, sizeof(list->text) - list->len,
                                      "%s%s", list->len > 0 ? ", " : "", name);
    else if (list->text[list->len - 1] != '.')
        list->len +=
            (size_t)snprintf(list->text + list->len, sizeof(list->text) - list->len, " ...");
}

bool state_service_known(const char *dir, struct guard_span service, bool force)
{
    char path[STATE_PATH_MAX];
    if (!state_service_valid(service))
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (state_path(path, dir, kinds[i].folder, service, kinds[i].suffix) == GUARD_OK &&
            access(path, F_OK) == 0)
            return true;
    }
    if (force)
        return true;
    struct list list = {.text = ""};
    state_services(dir, append, &list);
    return complain(0, "no service \"%.*s\" in %s%s%s (--force for a new one)", (int)service.len,
                    (const char *)service.ptr, dir,
                    list.len > 0 ? "; there are: " : ", which holds none yet", list.text) != 0;
}
