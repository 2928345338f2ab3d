// SPDX-License-Identifier: Apache-2.0
// Where in the console one is: the part of the address behind '#', which no server is told.

export interface Route {
    path: string[];
    query: URLSearchParams;
}

function parse(hash: string): Route {
    const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
    const words = path.split("/").filter((word) => word !== "");
    return {
        path: words.map((word) => {
            try {
                return decodeURIComponent(word);
            } catch {
                return word;
            }
        }),
        query: new URLSearchParams(query),
    };
}

export const route = $state<{ now: Route }>({ now: parse(location.hash) });

window.addEventListener("hashchange", () => {
    route.now = parse(location.hash);
});

export function to(path: string[], query: Record<string, string> = {}): string {
    const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
    return `#/${path.map(encodeURIComponent).join("/")}${asked ? `?${asked}` : ""}`;
}
