// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it, vi } from "vitest";
import { byHour } from "../src/lib/alerts";
import { drawn, sums } from "../src/lib/history";
import type { Schemas } from "../src/lib/api";

type HistoryPoint = Schemas["HistoryPoint"];
import { ApiError, exchange, get, pages, whenLoginIsNeeded, type Alert } from "../src/lib/api";
import { to } from "../src/lib/route.svelte";
import { time } from "../src/lib/times";
import { treeOf } from "../src/lib/tree";

afterEach(() => vi.unstubAllGlobals());

function answer(make: (path: string, init: RequestInit) => Response | Promise<Response>) {
    const asked = vi.fn(make as (path: string, init: RequestInit) => Promise<Response>);
    vi.stubGlobal("fetch", asked);
    return asked;
}

async function failure(promise: Promise<unknown>): Promise<string> {
    return promise.then(
        () => "none",
        (error: unknown) => (error instanceof ApiError ? error.failure : String(error)),
    );
}

describe("asking the API", () => {
    it("says that a page of ours asks, and sends no token", async () => {
        const asked = answer(() => Response.json({}));
        await get("/services");
        const init = asked.mock.calls[0]![1];
        expect(init.headers).toEqual({ "X-Guard-Console": "1" });
        expect(init.credentials).toBe("same-origin");
        expect(init.redirect).toBe("error");
    });
    it.each([
        [401, "login"],
        [403, "forbidden"],
        [404, "missing"],
        [409, "refused"],
        [422, "refused"],
        [429, "busy"],
        [503, "busy"],
        [500, "broken"],
    ])("%i is %s", async (status, want) => {
        answer(() => new Response("<html>", { status }));
        expect(await failure(get("/x"))).toBe(want);
    });
    it("tells what a problem says", async () => {
        answer(() => Response.json({ detail: "no such mode", field: "mode" }, { status: 422 }));
        await expect(exchange("/x", { method: "PUT", body: {} })).rejects.toMatchObject({ message: "no such mode", field: "mode" });
    });
    it("takes what is no JSON as broken, and no answer as offline", async () => {
        answer(() => new Response('{"a":'));
        expect(await failure(get("/x"))).toBe("broken");
        answer(() => Promise.reject(new TypeError("failed")));
        expect(await failure(get("/x"))).toBe("offline");
    });
    it("tells when the session is over, but not of a wrong token", async () => {
        const over = vi.fn();
        whenLoginIsNeeded(over);
        answer(() => new Response("", { status: 401 }));
        await failure(exchange("/session", { method: "POST", headers: { Authorization: "Bearer x" } }));
        expect(over).not.toHaveBeenCalled();
        await failure(get("/services"));
        expect(over).toHaveBeenCalledOnce();
    });
    it("reads pages until there is none, and no more than it may", async () => {
        const asked = answer((path) => Response.json({ list: [path.includes("cursor=2") ? "b" : "a"], next: path.includes("cursor=2") ? null : "2" }));
        expect(await pages("/x", "list", 10)).toEqual(["a", "b"]);
        answer(() => Response.json({ list: ["a"], next: "again" }));
        expect(await pages("/x", "list", 3)).toEqual(["a", "a", "a"]);
        expect(asked.mock.calls[1]![0]).toContain("limit=100&cursor=2");
        answer(() => Response.json({ list: "x" }));
        expect(await failure(pages("/x", "list", 3))).toBe("broken");
    });
});

describe("alerts over time", () => {
    const hour = 3_600_000;
    const now = 500_000 * hour + 1000;
    const alert = (service: string, ago: number, count: number) => ({ service, last_ms: now - ago * hour, count }) as Alert;
    it("counts by service and hour, and nothing older than a day", () => {
        const { total, of } = byHour([alert("a", 0, 5), alert("a", 1, 1), alert("b", 23, 2), alert("b", 30, 9)], now);
        expect(total).toBe(8);
        expect(of.get("a")!.hours.slice(-2)).toEqual([1, 5]);
        expect(of.get("b")!.total).toBe(2);
    });
});

describe("the tree of endpoints", () => {
    const one = (method: string, template: string) => ({ method, template }) as Parameters<typeof treeOf>[0][number];
    it("has a row for what several share", () => {
        const rows = treeOf([one("GET", "/v2/users/{int}"), one("GET", "/health"), one("POST", "/v2/users"), one("GET", "/v2/orders")]);
        expect(rows.map((row) => `${"  ".repeat(row.depth)}${row.label}`)).toEqual(["GET /health", "/v2/", "  GET /orders", "  POST /users", "  /users/", "    GET /{int}"]);
        expect(rows.filter((row) => row.endpoint)).toHaveLength(4);
        expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
    });
    it("is nothing of nothing, and takes the root", () => {
        expect(treeOf([])).toEqual([]);
        expect(treeOf([one("GET", "/")]).map((row) => row.label)).toEqual(["GET /"]);
    });
});

describe("small things", () => {
    it("times that are none", () => {
        for (const bad of [0, -1, NaN, Infinity, 1e300]) expect(time(bad)).toBe("–");
    });
    it("addresses keep strange names in one piece", () => {
        expect(to(["services", "a/b?c#d"], { service: "", x: "1&2" })).toBe("#/services/a%2Fb%3Fc%23d?x=1%262");
    });
});

describe("history", () => {
    const point = (at_ms: number, counts: Partial<HistoryPoint>): HistoryPoint => ({
        at_ms, pass: 0, alert: 0, block: 0, responses: { none: 0, "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0 }, timed: 0, p50_s: null, p95_s: null, p99_s: null, ...counts,
    });

    it("steps without traffic are nothing, and have no time", () => {
        const points = [point(120_000, { pass: 5, p50_s: 0.001, p95_s: 0.5 }), point(240_000, { block: 2 }), point(9e15, { pass: 9 }), point(0, { pass: 9 })];
        const all = drawn({ service: "a", since_ms: 60_000, step_s: 60, steps: 4, points });
        expect(all.times).toEqual([60, 120, 180, 240]);
        expect(all.pass).toEqual([0, 5, 0, 0]);
        expect(all.block).toEqual([0, 0, 0, 2]);
        expect(all.p50).toEqual([null, 1, null, null]);
        expect(all.p95).toEqual([null, 500, null, null]);
    });

    it("sums say what is drawn", () => {
        const points = [point(0, { pass: 5, alert: 1, p95_s: 0.02 }), point(60_000, { block: 2, p95_s: 0.5, responses: { none: 0, "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 2 } })];
        expect(sums(points)).toEqual({ exchanges: 8, alert: 1, block: 2, errors: 2, slowest: 500 });
        expect(sums([])).toEqual({ exchanges: 0, alert: 0, block: 0, errors: 0, slowest: null });
    });
});
