/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files and folders without libFuzzer, so that every build replays the
 * corpora. Each input is given in a block of exactly its size: a read behind its end is seen by
 * AddressSanitizer and valgrind. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_MAX = 16 * 1024 * 1024, PATH_SIZE = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static unsigned long runs;

static int fail(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    return 1;
}

static int run_file(const char *path, size_t size)
{
    if (size > INPUT_MAX)
        return fail(path, "too large");
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return fail(path, strerror(errno));
    uint8_t *data = malloc(size == 0 ? 1 : size);
    int failed = data == NULL || fread(data, 1, size, file) != size;
    fclose(file);
    if (failed) {
        free(data);
        return fail(path, "cannot be read");
    }
    /* An empty input is an end without a readable byte. */
    LLVMFuzzerTestOneInput(size == 0 ? data + 1 : data, size);
    runs++;
    free(data);
    return 0;
}

static int run_path(const char *path, int depth)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return fail(path, strerror(errno));
    if (S_ISREG(info.st_mode))
        return run_file(path, (size_t)info.st_size);
    if (!S_ISDIR(info.st_mode) || depth > 8)
        return fail(path, "neither a file nor a shallow folder");
    DIR *folder = opendir(path);
    if (folder == NULL)
        return fail(path, strerror(errno));
    int failed = 0;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char inner[PATH_SIZE];
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        failed |=
            len < 0 || len >= PATH_SIZE ? fail(path, "path too long") : run_path(inner, depth + 1);
    }
    closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize != NULL)
        LLVMFuzzerInitialize(&argc, &argv);
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= run_path(argv[i], 0);
    if (runs == 0)
        return fail(argc > 1 ? argv[1] : "corpus", "no inputs: a corpus is a part of its target");
    printf("%lu inputs\n", runs);
    return failed;
}
