/* SPDX-License-Identifier: Apache-2.0 */
/* Which files are learned from and which are judged: by options, by the names of files in folders
 * and manifests, or by what labels say. */
#ifndef GUARD_CLI_EVAL_DATASET_H
#define GUARD_CLI_EVAL_DATASET_H

#include <guard/types.h>

enum eval_role {
    EVAL_TRAIN,
    EVAL_BENIGN,
    EVAL_ATTACKS,
    EVAL_LABELLED, /* each exchange's label has a "split"; "train" is learned, the rest judged */
};

enum { EVAL_FILES_MAX = 4096, EVAL_SETS_MAX = 64 };

struct eval_file {
    char *path;
    enum eval_role role;
};

/* Files that are scored together. Files of a folder are one. */
struct eval_set {
    char *name;
    struct eval_file *files;
    int count;
    int cap;
};

struct eval_sets {
    struct eval_set sets[EVAL_SETS_MAX];
    int count;
};

/* A file by its role, into the set "files". False after a message. */
bool eval_sets_add(struct eval_sets *sets, const char *path, enum eval_role role);
/* A folder (searched), a manifest.json (its files), or a file, whose name tells its role or whose
 * labels do. False after a message. */
bool eval_sets_open(struct eval_sets *sets, const char *path);
/* False after a message unless every set has something to learn and something to judge. */
bool eval_sets_complete(const struct eval_sets *sets);
void eval_sets_free(struct eval_sets *sets);

/* The paths of a set that are read for learning or for judging, malloc'd, in the order in which
 * they were given; *count of them. The strings are the set's. NULL after a message. */
char **eval_set_paths(const struct eval_set *set, bool learn, int *count);
/* Whether all its files can be read again: what comes through a pipe can't. */
bool eval_set_rereadable(const struct eval_set *set);
/* The role of the index-th of these paths. */
enum eval_role eval_set_role(const struct eval_set *set, bool learn, int index);

#endif
