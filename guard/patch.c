/* SPDX-License-Identifier: Apache-2.0 */
/* `guard patch`: virtual patches of a service. Finds the verb by table and opens what all of them
 * need. */
#include "patch_verbs.h"

#include "common/file.h"
#include "state_files.h"

#include <stdio.h>
#include <string.h>

static const struct option_spec options[] = {
    {"service", "NAME", "the service"},
    {"state", "DIR", "state directory (default $GUARD_STATE or /var/lib/guard)"},
    {"reason", "TEXT", "why, for the audit log, and for patches that don't say it"},
    {"author", "NAME", "add: who, for patches that don't say it (default: the user)"},
    {"dry-run", NULL, "only say what would change"},
    {"replace", NULL, "add: instead of patches with the same ids"},
    {"force", NULL, "also for a service that isn't there yet"},
    {"format", "text|json", "for people (default) or for programs"},
    {"patches", "DIR",
     "for, shipped: the patches that come with Guard (default: where they are installed)"},
    {"add", NULL, "from, for, import: to the service's patches, in shadow"},
    {"wider", NULL, "import: also rules that a patch can only say wider"},
    {"summary", NULL, "import: only how many rules are imported, and why the others aren't"},
    {"guardian", "G.yaml", "from: the service's Guardian: what it knows is no evidence"},
    {"pile", "P.pile", "from: what was learned; without it the pile that the Guardian names"},
    {"traffic", "FILE", "from: benign traffic to hold the patch against; may be repeated"},
    {"id", "ID", "from: the patch's id (default: that of the exploit); test: which of a document"},
    {"title", "TEXT", "from: its title"},
    {"expect", "hit|pass", "test: exit status 1 unless each exchange is that"},
    REMOTE_OPTIONS,
    {NULL, NULL, NULL},
};

/* In the order of the help. */
static const struct patch_verb_entry verbs[] = {
    {"list", "", 0, 0, true, false, patch_list},
    {"show", "ID", 1, 1, true, false, patch_show},
    {"add", "FILE", 1, 1, true, false, patch_add},
    {"from", "EXPLOIT", 1, 1, false, false, patch_from},
    {"test", "ID|FILE TRAFFIC...", 2, -1, false, false, patch_test},
    {"enable", "ID", 1, 1, true, false, patch_enable},
    {"shadow", "ID", 1, 1, true, false, patch_shadow},
    {"disable", "ID", 1, 1, true, false, patch_disable},
    {"rm", "ID", 1, 1, true, false, patch_remove},
    {"report", "", 0, 0, true, false, patch_report},
    {"import", "FILE...", 1, -1, false, false, patch_import},
    {"for", "SBOM", 1, 1, false, false, patch_for},
    {"shipped", "[ID]", 0, 1, false, true, patch_shipped},
};

static const struct patch_verb_entry *verb_named(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

static int usage(const struct patch_verb_entry *verb)
{
    return complain(EXIT_USAGE, "say `guard patch %s%s%s%s`", verb->name,
                    verb->operands[0] != '\0' ? " " : "", verb->operands,
                    verb->of_service ? " --service NAME" : "");
}

bool patch_id_good(const char *id)
{
    size_t len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return (len > 0 && id[len] == '\0' && len <= GUARD_PATCH_ID_MAX && id[0] != '-' &&
            id[0] != '.') ||
           complain(0, "a patch's id is 1 to %d letters, digits, '.', '_' or '-'",
                    GUARD_PATCH_ID_MAX) != 0;
}

bool patch_path(const struct patch_call *call, const char *id, const char *query, char *out,
                size_t cap)
{
    int len = snprintf(out, cap, "/services/%.*s/patches%s%s%s", (int)call->service.len,
                       (const char *)call->service.ptr, id != NULL ? "/" : "", id != NULL ? id : "",
                       query);
    return (len > 0 && (size_t)len < cap) || complain(0, "what is asked for is too long") != 0;
}

static bool open_call(struct patch_call *call, const struct patch_verb_entry *verb)
{
    const struct arguments *arguments = call->arguments;
    const char *format = arguments->values[PATCH_FORMAT];
    const char *name = arguments->values[PATCH_SERVICE];
    call->count = arguments->count - 1;
    call->operands = arguments->operands + 1;
    call->dir = state_dir(arguments->values[PATCH_STATE]);
    call->json = format != NULL && strcmp(format, "json") == 0;
    if (format != NULL && !call->json && strcmp(format, "text") != 0)
        return complain(0, "--format is text or json") != 0;
    if (name != NULL)
        call->service = (struct guard_span){(const uint8_t *)name, strlen(name)};
    if (name != NULL && !state_service_valid(call->service))
        return complain(0, "a service's name is 1 to 64 letters, digits, '.', '_' or '-'") != 0;
    if (call->count < verb->least || (verb->most >= 0 && call->count > verb->most) ||
        (verb->of_service && name == NULL))
        return usage(verb) < 0;
    if (verb->files_only)
        return true;
    return remote_open(&call->remote, arguments, PATCH_STATE, PATCH_SERVER, call->arena);
}

static int run(const struct arguments *arguments)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct patch_call call = {.arguments = arguments, .arena = &arena};
    const struct patch_verb_entry *verb =
        arguments->count > 0 ? verb_named(arguments->operands[0]) : NULL;
    if (verb == NULL)
        return complain(EXIT_USAGE,
                        "say what: list, show, add, from, test, enable, shadow, disable, rm, "
                        "report, import, for or shipped");
    guard_arena_init(&arena, &heap, PATCH_CHANGE_ARENA);
    int status = open_call(&call, verb) ? verb->run(&call) : EXIT_USAGE;
    guard_arena_reset(&arena);
    return status;
}

const struct command command_patch = {
    .name = "patch",
    .usage =
        "list|show|add|from|test|enable|shadow|disable|rm|report|import|for|shipped [ID|FILE...]",
    .operands =
        "list|show|add|from|test|enable|shadow|disable|rm|report|import|for|shipped FILE...",
    .summary = "virtual patches: what exploits one vulnerability of a service",
    .details =
        "list: the service's patches. show ID: one of them, as a document. add FILE: those of a "
        "document, in the mode it says\n"
        "(default shadow). from EXPLOIT: proposes the narrowest patch for an exploit (as guard "
        "exploit reads them), explained and tested. "
        "test ID TRAFFIC... (with --service) or test FILE TRAFFIC...: one patch against recorded "
        "traffic, as if it were enforced.\nenable ID: enforced. shadow ID: hits are told "
        "only. disable ID: off. "
        "rm ID: gone.\n"
        "report: hits of each patch, and which aren't needed any more.\n"
        "import FILE...: rules written for ModSecurity and Coraza (SecRule) as patches in mode "
        "shadow, as a document or with --add;\n"
        "each that isn't imported, or means something else, is told with its place.\n"
        "for SBOM: which of the patches that come with Guard a CycloneDX inventory asks for. "
        "shipped: "
        "these patches; shipped ID: one of them, as a document.\n"
        "A change is made in the service's Guardian, of which the rest stays as it was written; "
        "guardd publishes it within seconds.",
    .options = options,
    .run = run,
};
