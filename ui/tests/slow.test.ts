// SPDX-License-Identifier: Apache-2.0
// guardd that is slow, stops in the middle, or says nonsense: it is told, nothing waits for ever, and nothing is kept for the next who
// logs in.
import { afterEach, describe, expect, it, vi } from "vitest";
import { knownAlert, listFor } from "../src/lib/alert_list.svelte";
import { ApiError, get, type Alert } from "../src/lib/api";
import { follow, live } from "../src/lib/live.svelte";
import { logout, session } from "../src/lib/session.svelte";

afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    Object.assign(live, { state: "off", gap: false });
});

/** The page's clock in our hands: what `end` does is what 30 seconds do. */
function limits(): { end: () => void; asked: number[] } {
    const controller = new AbortController();
    const asked: number[] = [];
    vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
        asked.push(ms);
        return controller.signal;
    });
    return { end: () => controller.abort(new DOMException("late", "TimeoutError")), asked };
}

async function failure(promise: Promise<unknown>): Promise<string> {
    return promise.then(
        () => "none",
        (error: unknown) => (error instanceof ApiError ? error.failure : "another"),
    );
}

describe("an answer that doesn't come", () => {
    it("is given up after a while", async () => {
        const { end, asked } = limits();
        vi.stubGlobal("fetch", (_: string, init: RequestInit) => new Promise((_resolve, reject) => init.signal!.addEventListener("abort", () => reject(init.signal!.reason as Error))));
        const waiting = failure(get("/services"));
        end();
        expect(await waiting).toBe("offline");
        expect(asked).toEqual([30_000]);
    });
    it("is no good when it stops in the middle", async () => {
        const { end } = limits();
        vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
            const body = new ReadableStream({
                start(controller) {
                    controller.enqueue(new TextEncoder().encode('{"services":['));
                    init.signal!.addEventListener("abort", () => controller.error(init.signal!.reason));
                },
            });
            return Promise.resolve(new Response(body, { status: 200 }));
        });
        const waiting = failure(get("/services"));
        await Promise.resolve();
        end();
        expect(await waiting).toBe("broken");
    });
});

describe("the stream of alerts", () => {
    class Source extends EventTarget {
        static readonly CLOSED = 2;
        static last: Source;
        readyState = 0;
        onopen = () => {};
        onerror = () => {};
        onmessage: (event: { data: string }) => void = () => {};
        closed = false;
        constructor(readonly url: string) {
            super();
            Source.last = this;
        }
        close() {
            this.closed = true;
        }
    }
    it("tells what it is, and that something is missing when a line is none", () => {
        vi.stubGlobal("EventSource", Source);
        const took: Alert[] = [];
        const end = follow((alert) => took.push(alert));
        const source = Source.last;
        expect(live.state).toBe("connecting");
        source.onopen();
        expect(live.state).toBe("live");
        for (const data of ['{"id":"1","service":"shop"}', "null", "[]", '{"id":1}', '{"id":"2","service":"shop"}']) source.onmessage({ data });
        expect(took.map((one) => one.id)).toEqual(["1", "2"]);
        live.gap = false;
        source.onmessage({ data: '{"id":"3","serv' });
        expect([took.length, live.gap]).toEqual([2, true]);
        source.onerror();
        expect(live.state).toBe("connecting"); // it comes back by itself
        source.readyState = Source.CLOSED;
        source.onerror();
        expect(live.state).toBe("off"); // and the page asks now and then
        end();
        expect([source.closed, live.state]).toEqual([true, "off"]);
    });
    it("tells of what is no longer kept", () => {
        vi.stubGlobal("EventSource", Source);
        follow(() => {});
        Source.last.dispatchEvent(new Event("gap"));
        expect(live.gap).toBe(true);
    });
});

describe("who is logged out", () => {
    const page = { newest: "1", alerts: [{ id: "secret", service: "shop", last_ms: 1, findings: [] }], next: null };
    const index = { lines: 1, alerts: 1, step: 100, cursors: ["1"], until_ms: 1, bin_ms: 1000, bins: [1] };
    async function looked(): Promise<void> {
        vi.stubGlobal("fetch", (path: string) => Promise.resolve(Response.json(path.includes("/index") ? index : page)));
        session.state = "in";
        await listFor("", false).list.load();
        expect(knownAlert("secret")).toBeDefined();
    }
    it("leaves no alerts behind", async () => {
        await looked();
        await logout();
        expect([session.state, knownAlert("secret")]).toEqual(["out", undefined]);
    });
    it("nor does who is logged out by guardd", async () => {
        await looked();
        vi.stubGlobal("fetch", () => Promise.resolve(new Response("", { status: 401 })));
        expect(await failure(get("/alerts"))).toBe("login");
        expect([session.state, knownAlert("secret")]).toEqual(["out", undefined]);
    });
});
