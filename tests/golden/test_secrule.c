/* SPDX-License-Identifier: Apache-2.0 */
/* What a file of rules becomes, byte by byte: a change of a mapping changes what is blocked. */
#include "common/file.h"
#include "support/secrule_dump.h"

#include <stdlib.h>

static struct dump dump;

static bool make(const char *path)
{
    struct guard_alloc alloc = heap_alloc();
    struct secrule_import import;
    struct secrule_cfg cfg = {.wider = false};
    struct guard_err err = {.text = ""};
    uint8_t *bytes = NULL;
    size_t len = 0;
    const char *slash = strrchr(path, '/');
    if (file_read(path, SECRULE_BYTES_MAX, &bytes, &len, &err) != GUARD_OK) {
        fprintf(stderr, "%s\n", err.text);
        return false;
    }
    secrule_init(&import, &alloc);
    bool good = secrule_read(&import, slash != NULL ? slash + 1 : path,
                             (struct guard_span){bytes, len}, &cfg, &err) == GUARD_OK;
    if (good)
        dump_import(&dump, &import);
    else
        fprintf(stderr, "%s\n", err.text);
    secrule_fini(&import);
    free(bytes);
    return good;
}

int main(int argc, char **argv)
{
    bool update = argc > 1 && strcmp(argv[1], "--update") == 0;
    const char *held_path = argc > 2 + update ? argv[1 + update] : NULL;
    if (held_path == NULL) {
        fprintf(stderr, "usage: %s [--update] secrule.txt RULES\n", argv[0]);
        return 2;
    }
    if (!make(argv[2 + update]))
        return 1;
    struct guard_span made = {(const uint8_t *)dump.text, dump.len};
    if (update)
        return file_replace(held_path, made, 0644, false, NULL) != GUARD_OK;
    uint8_t *held = NULL;
    size_t len = 0;
    bool same = file_read(held_path, DUMP_CAP, &held, &len, NULL) == GUARD_OK && len == made.len &&
                memcmp(held, made.ptr, len) == 0;
    free(held);
    if (!same)
        fprintf(stderr, "%s isn't what this build makes of the rules\n", held_path);
    return !same;
}
