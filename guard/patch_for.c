/* SPDX-License-Identifier: Apache-2.0 */
/* `guard patch for`: which of the patches that come with Guard an inventory of software asks for,
 * and on request puts these into a service's Guardian, in shadow. Also the verbs that show the set.
 */
#include "common/file.h"
#include "common/json_writer.h"
#include "inventory.h"
#include "patch_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 1024, LINE_MAX_BYTES = 16 * 1024, WHY_MAX = SHOWN_MAX + 64 };

static const char *shown(char out[SHOWN_MAX], struct guard_span text)
{
    return clean(out, SHOWN_MAX, (const char *)text.ptr, text.len);
}

static const char *answer_word(enum version_answer answer)
{
    return answer == VERSION_INSIDE ? "applies" : "can't be told";
}

/* Why it isn't known, or the range that says so. */
static const char *why(char out[WHY_MAX], const struct inventory_found *found)
{
    char range[SHOWN_MAX];
    (void)shown(range, found->by->ranges);
    if (found->answer == VERSION_INSIDE)
        snprintf(out, WHY_MAX, "%s", range);
    else
        snprintf(out, WHY_MAX, "%s; affected: %s",
                 found->version.len == 0 ? "no version" : "no version that can be compared", range);
    return out;
}

static void print_found(const struct inventory_found *found)
{
    char name[SHOWN_MAX];
    char version[SHOWN_MAX];
    char reason[WHY_MAX];
    printf("  %s%s%s at %s (%s)\n", shown(name, found->name), found->by->is_package ? "" : " ",
           found->by->is_package ? "" : shown(version, found->version), found->place,
           why(reason, found));
}

static void print_patch(const struct inventory *inventory, uint32_t index,
                        enum version_answer answer)
{
    char id[SHOWN_MAX];
    char title[SHOWN_MAX];
    const struct shipped_patch *patch = &inventory->shipped->patches[index];
    printf("%-24s %-14s %s\n", shown(id, patch->id), answer_word(answer),
           shown(title, patch->title));
    for (uint32_t i = 0; i < inventory->count; i++) {
        if (inventory->found[i].patch == index)
            print_found(&inventory->found[i]);
    }
}

static void write_found(struct json_writer *json, const struct inventory_found *found)
{
    json_open(json, NULL, '{');
    json_string(json, "component", found->name);
    json_string(json, "version", found->version);
    json_text(json, "at", found->place);
    json_string(json, "affected", found->by->ranges);
    json_bool(json, "applies", found->answer == VERSION_INSIDE);
    json_close(json, '}');
}

static bool print_json(const struct inventory *inventory, uint32_t index,
                       enum version_answer answer)
{
    char line[LINE_MAX_BYTES];
    struct json_writer json;
    const struct shipped_patch *patch = &inventory->shipped->patches[index];
    json_writer_init(&json, line, sizeof(line));
    json_open(&json, NULL, '{');
    json_string(&json, "id", patch->id);
    json_string(&json, "title", patch->title);
    json_text(&json, "answer", answer == VERSION_INSIDE ? "applies" : "unknown");
    json_open(&json, "components", '[');
    for (uint32_t i = 0; i < inventory->count && json.len < LINE_MAX_BYTES / 2; i++) {
        if (inventory->found[i].patch == index)
            write_found(&json, &inventory->found[i]);
    }
    json_close(&json, ']');
    json_close(&json, '}');
    if (json.overflow)
        return complain(0, "a component's texts are too long to print") != 0;
    printf("%.*s\n", (int)json.len, line);
    return true;
}

static void print_summary(const struct inventory *inventory)
{
    uint32_t counts[3] = {0, 0, 0};
    for (uint32_t i = 0; i < inventory->shipped->count; i++)
        counts[inventory_answer(inventory, i)]++;
    printf("%u components; of %u patches %u appl%s, %u can't be told\n", inventory->components,
           inventory->shipped->count, counts[VERSION_INSIDE],
           counts[VERSION_INSIDE] == 1 ? "ies" : "y", counts[VERSION_UNKNOWN]);
}

/* On standard error: what was held against nothing mustn't look as if it were safe. */
static void tell_notes(const struct inventory *inventory)
{
    char name[SHOWN_MAX];
    uint32_t told =
        inventory->nameless < INVENTORY_TOLD_MAX ? inventory->nameless : INVENTORY_TOLD_MAX;
    if (inventory->nameless > 0)
        complain(0,
                 "note: %u components have neither a package URL nor a CPE and were compared "
                 "with nothing",
                 inventory->nameless);
    for (uint32_t i = 0; i < told; i++)
        complain(0, "note: compared with nothing: \"%s\"", shown(name, inventory->told[i]));
    if (inventory->unreadable > 0)
        complain(0, "note: %u package URLs are none", inventory->unreadable);
    if (inventory->left_out > 0)
        complain(0, "note: %u more components that patches are for", inventory->left_out);
}

static bool report(const struct patch_call *call, const struct inventory *inventory)
{
    for (uint32_t i = 0; i < inventory->shipped->count; i++) {
        enum version_answer answer = inventory_answer(inventory, i);
        if (answer == VERSION_OUTSIDE)
            continue;
        if (!call->json)
            print_patch(inventory, i, answer);
        else if (!print_json(inventory, i, answer))
            return false;
    }
    if (!call->json)
        print_summary(inventory);
    tell_notes(inventory);
    return true;
}

/* As if it were added by hand: a shipped document says no mode, which is shadow. */
static int add_one(const struct patch_call *call, const struct inventory *inventory, uint32_t index)
{
    char path[STATE_PATH_MAX];
    char *operands[] = {path, NULL};
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct patch_call one = *call;
    one.count = 1;
    one.operands = operands;
    one.arena = &arena;
    one.remote.arena = &arena;
    if (!shipped_patches_path(inventory->shipped, inventory->shipped->patches[index].id, path))
        return complain(EXIT_FAILED, "the path is too long");
    guard_arena_init(&arena, &heap, PATCH_CHANGE_ARENA);
    int status = patch_add(&one);
    guard_arena_reset(&arena);
    return status;
}

/* One that can't be added (it is there already) doesn't keep the others out. */
static int add(const struct patch_call *call, const struct inventory *inventory)
{
    int status = EXIT_GOOD;
    for (uint32_t i = 0; i < inventory->shipped->count; i++) {
        int added = inventory_answer(inventory, i) == VERSION_INSIDE ? add_one(call, inventory, i)
                                                                     : EXIT_GOOD;
        status = added != EXIT_GOOD ? added : status;
    }
    return status;
}

int patch_for(const struct patch_call *call)
{
    struct shipped_patches shipped;
    struct inventory inventory = {.count = 0};
    const bool adds = call->arguments->values[PATCH_ADD_THEM] != NULL;
    int status = EXIT_FAILED;
    if (adds && call->service.ptr == NULL)
        return complain(EXIT_USAGE, "--add needs --service NAME");
    if (shipped_patches_open(&shipped, call->arguments->values[PATCH_SHIPPED]) &&
        inventory_read(&inventory, call->operands[0], &shipped) && report(call, &inventory))
        status = adds ? add(call, &inventory) : EXIT_GOOD;
    inventory_close(&inventory);
    shipped_patches_close(&shipped);
    return status;
}

static void print_listed(const struct patch_call *call, const struct shipped_patch *patch)
{
    char id[SHOWN_MAX];
    char text[SHOWN_MAX];
    if (call->json) {
        struct json_writer json;
        char line[4 * SHOWN_MAX];
        json_writer_init(&json, line, sizeof(line));
        json_open(&json, NULL, '{');
        json_text(&json, "id", shown(id, patch->id));
        json_text(&json, "title", shown(text, patch->title));
        json_close(&json, '}');
        printf("%.*s\n", (int)json.len, line);
        return;
    }
    printf("%-24s %s\n", shown(id, patch->id), shown(text, patch->title));
    for (uint32_t i = 0; i < patch->affected_count; i++) {
        printf("  %s ", shown(text, patch->affected[i].text));
        printf("%s\n", shown(text, patch->affected[i].ranges));
    }
}

/* The document as it is installed, of which a person may make another. */
static int print_document(const struct shipped_patches *shipped, const char *id)
{
    char path[STATE_PATH_MAX];
    struct guard_err err;
    uint8_t *bytes = NULL;
    size_t len = 0;
    const struct shipped_patch *patch = shipped_patches_find(shipped, id);
    if (patch == NULL)
        return complain(EXIT_FAILED, "no shipped patch has that id; see guard patch shipped");
    if (!shipped_patches_path(shipped, patch->id, path))
        return complain(EXIT_FAILED, "the path is too long");
    if (file_read(path, DOCUMENT_BYTES_MAX, &bytes, &len, &err) != GUARD_OK)
        return complain(EXIT_FAILED, "%s", err.text);
    bool good = fwrite(bytes, 1, len, stdout) == len;
    free(bytes);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

int patch_shipped(const struct patch_call *call)
{
    struct shipped_patches shipped;
    int status = EXIT_FAILED;
    if (shipped_patches_open(&shipped, call->arguments->values[PATCH_SHIPPED])) {
        status = call->count > 0 ? print_document(&shipped, call->operands[0]) : EXIT_GOOD;
        for (uint32_t i = 0; call->count == 0 && i < shipped.count; i++)
            print_listed(call, &shipped.patches[i]);
    }
    shipped_patches_close(&shipped);
    return status;
}
