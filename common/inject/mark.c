/* SPDX-License-Identifier: Apache-2.0 */
/* The mark that an injected pod carries, so that nobody injects twice and a later version can build
 * the gate anew: {"version":1,"ports":[{"name":"http","app":8080,"gate":14080}]}. */
#include "common/inject/parts.h"

#include "common/json_writer.h"

#include <string.h>

enum { MARK_VERSION = 1, MARK_MAX = 2048 };

static const struct document_node *ours(const struct inject_plan *plan)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const struct document_node *list = member_of(plan->spec, lists[i]);
        for (const struct document_node *one =
                 list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
             one != NULL; one = one->next) {
            if (one->kind == DOCUMENT_MAPPING &&
                strcmp(text_of(one, "name"), INJECT_CONTAINER) == 0)
                return one;
        }
    }
    return NULL;
}

static bool read_port(const struct document_node *from, struct inject_port *port)
{
    *port = (struct inject_port){.app = inject_number(text_of(from, "app")),
                                 .gate = inject_number(text_of(from, "gate"))};
    const char *name = text_of(from, "name");
    port->name = name[0] != '\0' ? name : NULL;
    return port->app != 0 && port->gate != 0;
}

static bool read_ports(const struct document *mark, struct inject_plan *plan)
{
    const struct document_node *ports =
        mark->root->kind == DOCUMENT_MAPPING ? member_of(mark->root, "ports") : NULL;
    if (ports == NULL || ports->kind != DOCUMENT_SEQUENCE || ports->count == 0 ||
        ports->count > INJECT_PORTS_MAX || whole_of(mark->root, "version") != MARK_VERSION)
        return false;
    for (const struct document_node *one = ports->first; one != NULL; one = one->next) {
        if (one->kind != DOCUMENT_MAPPING || !read_port(one, &plan->ports[plan->port_count++]))
            return false;
    }
    return true;
}

/* What is ours is made anew, and what isn't needed removed: neither may happen to another's. */
static enum guard_rc refuse_volumes(const struct injection *in, const struct inject_plan *plan)
{
    static const char *const names[] = {INJECT_STATE_VOLUME, INJECT_NO_TOKEN_VOLUME,
                                        INJECT_GUARDIAN_VOLUME, INJECT_PARENT_VOLUME};
    struct document_node *volumes = NULL;
    GUARD_TRY(inject_member(in, plan->spec, "volumes", DOCUMENT_SEQUENCE, &volumes));
    for (const struct document_node *one = volumes != NULL ? volumes->first : NULL; one != NULL;
         one = one->next) {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (strcmp(text_of(one, "name"), names[i]) == 0)
                return inject_fail(in, one, GUARD_E_STATE,
                                   "a volume is called \"%s\" and isn't ours: rename it", names[i]);
        }
    }
    return GUARD_OK;
}

enum guard_rc inject_read_mark(struct injection *in, struct inject_plan *plan)
{
    struct document_node *mark = NULL;
    struct document parsed;
    const struct document_node *container = ours(plan);
    GUARD_TRY(inject_member(in, plan->annotations, INJECT_STATUS, DOCUMENT_SCALAR, &mark));
    if (mark == NULL && container == NULL)
        return refuse_volumes(in, plan);
    if (mark == NULL)
        return inject_fail(in, container, GUARD_E_STATE,
                           "a container is called \"" INJECT_CONTAINER
                           "\" and isn't ours: rename it");
    if (container == NULL)
        return inject_fail(in, mark, GUARD_E_STATE,
                           "the pod is marked as guarded, and has no such container: remove the "
                           "annotation");
    struct guard_err ignored;
    enum guard_rc rc = mark->text.len > MARK_MAX
                           ? GUARD_E_LIMIT
                           : document_parse(&parsed, "mark", mark->text, in->edit.arena, &ignored);
    if (rc == GUARD_E_NOMEM)
        return guard_fail(in->err, rc, "no memory");
    if (rc != GUARD_OK || !read_ports(&parsed, plan))
        return inject_fail(in, mark, GUARD_E_SYNTAX, "isn't what this version of Guard wrote");
    plan->marked = true;
    return GUARD_OK;
}

void inject_write_mark(struct injection *in, const struct inject_plan *plan)
{
    char text[MARK_MAX];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text) - 1);
    json_open(&json, NULL, '{');
    json_integer(&json, "version", MARK_VERSION);
    json_open(&json, "ports", '[');
    for (uint32_t i = 0; i < plan->port_count; i++) {
        json_open(&json, NULL, '{');
        if (plan->ports[i].name != NULL)
            json_text(&json, "name", plan->ports[i].name);
        json_integer(&json, "app", plan->ports[i].app);
        json_integer(&json, "gate", plan->ports[i].gate);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    text[json.len] = '\0';
    struct document_node *metadata = edit_mapping(&in->edit, plan->template, "metadata");
    struct document_node *annotations = edit_mapping(&in->edit, metadata, "annotations");
    edit_text(&in->edit, annotations, INJECT_STATUS, text);
    struct document_node *labels = edit_mapping(&in->edit, metadata, "labels");
    edit_text(&in->edit, labels, INJECT_LABEL, "enabled");
    if (json.overflow)
        in->edit.failed = true;
}
