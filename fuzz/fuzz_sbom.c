/* SPDX-License-Identifier: Apache-2.0 */
/* An inventory of software of any content: what is taken of it lies in it, versions have an order,
 * and a package URL that was read is read again as the same. */
#include "common/file.h"
#include "common/sbom/cyclonedx.h"
#include "common/sbom/purl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct last {
    struct guard_span version; /* of the component before */
};

static void check_versions(enum version_scheme scheme, struct guard_span a, struct guard_span b)
{
    static const char ranges[] = ">=1.0 <2.0-rc1 || =3";
    struct guard_span spans = {(const uint8_t *)ranges, sizeof(ranges) - 1};
    if (version_in(scheme, a, spans) == VERSION_UNKNOWN && version_comparable(a))
        abort();
    if (!version_comparable(a) || !version_comparable(b))
        return;
    if (version_compare(scheme, a, b) != -version_compare(scheme, b, a) ||
        version_compare(scheme, a, a) != 0)
        abort();
}

static bool take(void *ctx, const struct cyclonedx_component *component)
{
    struct last *last = ctx;
    struct purl purl;
    struct guard_err err;
    check_versions(VERSION_SEMVER, component->version, last->version);
    check_versions(VERSION_DOTTED, component->version, last->version);
    last->version = component->version;
    if (version_ranges_check(component->version, &err) == GUARD_OK)
        (void)version_in(VERSION_SEMVER, component->name, component->version);
    if (purl_read(&purl, component->purl, &err) == GUARD_OK &&
        (purl.path[0] == '\0' || strlen(purl.path) > PURL_PATH_MAX ||
         !purl_same_package(&purl, &purl)))
        abort();
    return strlen(component->place) > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct last last = {{NULL, 0}};
    struct guard_err err = {.text = ""};
    guard_arena_init(&arena, &heap, (size_t)4 << 20);
    enum guard_rc rc =
        cyclonedx_read("f", (struct guard_span){data, size}, &arena, take, &last, &err);
    if (rc != GUARD_OK && strncmp(err.text, "f:", 2) != 0)
        abort();
    guard_arena_reset(&arena);
    return 0;
}
