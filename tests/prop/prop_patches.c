/* SPDX-License-Identifier: Apache-2.0 */
/* Random patches against random messages: what the scan leaves out can't hit, a patch whose
 * expressions nobody can match is never silently false, and looks on the way change no verdict. */
#include "support/random.h"
#include "tests/support/random_patches.h"
#include "unit/policy/world.h"

enum { POLICIES = 3000, MESSAGES = 6, DRAWN_BYTES = 600 };

static struct draw fresh(struct test_random *random, uint8_t *room)
{
    test_random_bytes(random, room, DRAWN_BYTES);
    return (struct draw){room, DRAWN_BYTES};
}

static struct guard_policy *policy_of(struct drawn_patches *patches)
{
    static struct world world;
    memset(&world, 0, sizeof(world));
    guard_guardian_default(&world.guardian, world_span("shop"));
    world.guardian.patches = patches->patches;
    world.guardian.patch_count = patches->count;
    world.cfg.alloc = world_heap;
    world.cfg.configured_only = true;
    world.model.service = world_span("shop");
    return world_policy(&world);
}

static void show_condition(const struct guard_patch_condition *condition, int indent)
{
    const char *name = guard_operator_name(condition->op);
    fprintf(stderr, "%*s%s view %d places 0x%x%s%s %d..%d", indent, "",
            name == NULL ? "present" : name, condition->view, condition->places,
            condition->on_names ? " names" : "", condition->ignore_case ? " nocase" : "",
            (int)condition->min, (int)condition->max);
    for (uint32_t i = 0; i < condition->name_count; i++)
        fprintf(stderr, " of %.*s", (int)condition->names[i].len,
                (const char *)condition->names[i].ptr);
    for (uint32_t i = 0; i < condition->text_count; i++)
        fprintf(stderr, " \"%.*s\"", (int)condition->texts[i].len,
                (const char *)condition->texts[i].ptr);
    fprintf(stderr, "\n");
    for (uint32_t i = 0; i < condition->child_count; i++)
        show_condition(&condition->children[i], indent + 2);
}

static void show(const char *broken, const struct drawn_patches *patches,
                 const struct drawn_message *message)
{
    for (uint32_t i = 0; i < patches->count; i++) {
        fprintf(stderr, "P%u part %d\n", i, patches->patches[i].part);
        show_condition(&patches->patches[i].when, 2);
    }
    fprintf(stderr, "%s\n%s %s\n", broken, message->method, message->target);
    for (uint32_t i = 0; i < message->header_count; i++)
        fprintf(stderr, "%s: %s\n", message->headers[i][0], message->headers[i][1]);
    fprintf(stderr, "(%s)\n%.*s\n", message->type == NULL ? "no body" : message->type,
            (int)message->body_len, message->body);
    fprintf(stderr, "chunk %zu, limit %zu; answer %u %s\n", message->chunk, message->body_limit,
            message->status, message->answer);
}

int main(void)
{
    static struct drawn_patches patches;
    static struct drawn_message message;
    uint8_t room[DRAWN_BYTES];
    struct test_random random = test_random_start("prop_patches");
    for (int i = 0; i < POLICIES; i++) {
        struct draw draw = fresh(&random, room);
        draw_patches(&draw, &patches);
        if (patches.count == 0)
            continue;
        struct guard_policy *policy = policy_of(&patches);
        for (int k = 0; k < MESSAGES; k++) {
            draw = fresh(&random, room);
            draw_message(&draw, &message);
            const char *broken = drawn_broken(policy, &patches, &message, &world_heap);
            if (broken != NULL) {
                show(broken, &patches, &message);
                exit(1);
            }
        }
        world_policy_free(policy);
    }
    return 0;
}
