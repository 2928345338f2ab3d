// SPDX-License-Identifier: Apache-2.0
// Endpoints as rows of a tree: a row for each segment that several share, one for each endpoint.
import type { Schemas } from "./api";

type Endpoint = Schemas["Endpoint"];

export interface TreeRow {
    key: string;
    depth: number;
    label: string;
    endpoint: Endpoint | null;
}

export function treeOf(endpoints: Endpoint[]): TreeRow[] {
    const sorted = [...endpoints].sort((a, b) => (a.template < b.template ? -1 : a.template > b.template ? 1 : a.method < b.method ? -1 : 1));
    const shared = new Map<string, number>();
    for (const endpoint of sorted) {
        for (const prefix of prefixes(endpoint.template)) shared.set(prefix, (shared.get(prefix) ?? 0) + 1);
    }
    const rows: TreeRow[] = [];
    const open: string[] = [];
    for (const [i, endpoint] of sorted.entries()) {
        const above = prefixes(endpoint.template).filter((prefix) => (shared.get(prefix) ?? 0) > 1 && prefix !== endpoint.template);
        const begin = above.findIndex((prefix, at) => open[at] !== prefix);
        for (const prefix of begin < 0 ? [] : above.slice(begin)) {
            const depth = above.indexOf(prefix);
            rows.push({ key: `p ${prefix} ${i}`, depth, label: `${prefix.slice(depth > 0 ? above[depth - 1]!.length : 0)}/`, endpoint: null });
        }
        open.splice(0, open.length, ...above);
        const rest = endpoint.template.slice(above.at(-1)?.length ?? 0);
        rows.push({ key: `e ${i}`, depth: above.length, label: `${endpoint.method} ${rest}`, endpoint });
    }
    return rows;
}

/** "/a/b/c" is below "/a" and "/a/b"; the whole is its own last one. */
function prefixes(template: string): string[] {
    const words = template.split("/").slice(1);
    return words.map((_, i) => `/${words.slice(0, i + 1).join("/")}`).filter((prefix) => prefix !== "/");
}
