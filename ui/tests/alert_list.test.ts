// SPDX-License-Identifier: Apache-2.0
// A list of 100,000 alerts costs what is looked at: requests and what is kept are counted here, with a guardd that refuses what the real
// one does.
import { flushSync } from "svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AlertList, KEPT_MOST, keyOf, knownAlert, listFor, overTime, type AlertIndex } from "../src/lib/alert_list.svelte";
import type { Alert } from "../src/lib/api";

const LINES = 100_000;
let lines: number;
let step: number;
let broken: boolean;
let asked: string[];
let answers: number;

function alert(seq: number): Alert {
    return { time_ms: seq, generation: 1, status: 403, score: 1, id: `id${seq}`, service: "shop", verdict: "block", action: "block", method: "GET", template: "/", client: "c", explanation: "", findings: [], suppressed: 0, count: 1, first_ms: seq, last_ms: seq, seq };
}

/** The line behind a cursor that is `at`: cursors count from the oldest, so that new lines move none. */
function answer(url: URL): Response {
    for (const [name, value] of url.searchParams) if (!name || !value) return Response.json({ detail: "no parameter has this name" }, { status: 400 });
    if (url.search.includes("&&")) return Response.json({ detail: "no parameter has this name" }, { status: 400 });
    const at = Number(url.searchParams.get("cursor") ?? lines);
    if (url.pathname.endsWith("/index")) {
        const cursors = Array.from({ length: Math.ceil(at / step) }, (_, i) => String(at - i * step));
        return Response.json({ lines: at, alerts: at, step, cursors, until_ms: at, bin_ms: 1000, bins: [at] });
    }
    const from = Math.max(0, at - 100);
    const alerts = Array.from({ length: at - from }, (_, i) => alert(at - i));
    return Response.json({ newest: String(lines), alerts, next: from > 0 ? String(from) : null });
}

beforeEach(() => {
    [lines, step, broken, asked, answers] = [LINES, 100, false, [], 0];
    vi.stubGlobal("fetch", async (path: string) => {
        asked.push(path);
        await Promise.resolve();
        answers++;
        return broken ? new Response("", { status: 503 }) : answer(new URL(path, "http://guardd"));
    });
});
afterEach(() => vi.unstubAllGlobals());

async function settled(list: AlertList): Promise<void> {
    for (let last = -1; last !== answers || asked.length !== answers; ) {
        last = answers;
        for (let i = 0; i < 20; i++) await Promise.resolve();
    }
    flushSync();
    void list;
}

async function loaded(filters = ""): Promise<AlertList> {
    const list = new AlertList(filters);
    await list.load();
    return list;
}

describe("a list of alerts", () => {
    it("shows the newest and knows how many there are by two requests", async () => {
        const list = await loaded();
        expect([list.rows, list.known, list.failure]).toEqual([LINES, true, null]);
        expect(list.at(0)!.seq).toBe(LINES);
        expect(list.at(99)!.seq).toBe(LINES - 99);
        expect(asked).toEqual(["/api/v1/alerts?limit=100", `/api/v1/alerts/index?cursor=${LINES}`]);
    });
    it("goes to the end by one request more", async () => {
        const list = await loaded("service=shop");
        list.want(LINES - 30, LINES);
        await settled(list);
        expect(list.at(LINES - 1)!.seq).toBe(1);
        expect(asked.length).toBe(3);
        expect(asked[2]).toBe("/api/v1/alerts?service=shop&limit=100&cursor=100");
    });
    it("has each line at its row", async () => {
        const list = await loaded();
        for (const row of [100, 777, 49_999, 50_000, 99_950]) {
            list.want(row, row + 40);
            await settled(list);
            for (let i = row; i < Math.min(row + 40, LINES); i++) expect(list.at(i)!.seq).toBe(LINES - i);
        }
    });
    it("fetches what is looked at in the end, not all that passed by", async () => {
        const list = await loaded();
        for (let row = 0; row < LINES; row += 50) list.want(row, row + 40);
        list.want(500, 540);
        await settled(list);
        expect(list.at(510)!.seq).toBe(LINES - 510);
        expect(asked.length).toBeLessThanOrEqual(2 + 2 + 1);
    });
    it("keeps so much, however much was looked at", async () => {
        const list = await loaded();
        for (let row = 0; row < 30_000; row += 100) {
            list.want(row, row + 40);
            await settled(list);
        }
        let kept = 0;
        for (let row = 0; row < LINES; row += 100) if (list.at(row) !== undefined) kept += 100;
        expect(kept).toBeLessThanOrEqual(KEPT_MOST);
        expect(list.at(29_900)!.seq).toBe(LINES - 29_900);
    });
    it("takes a part of several pages where cursors are further apart", async () => {
        step = 400;
        const list = await loaded();
        list.want(0, 40);
        list.want(950, 990);
        await settled(list);
        expect(list.at(950)!.seq).toBe(LINES - 950);
        expect(list.at(399)!.seq).toBe(LINES - 399);
    });
    it("lets what is new wait, and loses and doubles none", async () => {
        const list = await loaded();
        list.arrive(alert(LINES)); // known
        list.arrive(alert(LINES + 1));
        list.arrive(alert(LINES + 1));
        expect([list.rows, list.at(0)!.seq, list.waiting.length]).toEqual([LINES, LINES, 1]);
        lines += 3; // two weren't told
        await list.catchUp();
        expect(list.waiting.map((one) => one.seq)).toEqual([LINES + 3, LINES + 2, LINES + 1]);
        list.reveal();
        expect([list.rows, list.at(0)!.seq, list.at(3)!.seq, list.waiting.length]).toEqual([LINES + 3, LINES + 3, LINES, 0]);
        list.want(LINES - 10, LINES + 3);
        await settled(list);
        expect(list.at(LINES + 2)!.seq).toBe(1);
    });
    it("is asked for anew when very much came", async () => {
        const list = await loaded();
        for (let i = 1; i <= 600; i++) list.arrive(alert(LINES + i));
        expect(list.outdated).toBe(true);
        expect(list.waiting.length).toBeLessThanOrEqual(500);
        lines += 600;
        list.reveal();
        await settled(list);
        expect([list.outdated, list.rows, list.at(0)!.seq]).toEqual([false, LINES + 600, LINES + 600]);
    });
    it("says what fails, and goes on when it is looked at again", async () => {
        const list = await loaded();
        broken = true;
        list.want(5000, 5040);
        await settled(list);
        expect([list.failure, list.at(5000)]).toEqual(["busy", undefined]);
        const before = asked.length;
        await settled(list);
        expect(asked.length).toBe(before); // it doesn't ask again and again
        broken = false;
        list.want(5000, 5040);
        await settled(list);
        expect([list.failure, list.at(5000)!.seq]).toEqual([null, LINES - 5000]);
    });
    it("is there for who comes back, and for nobody else", async () => {
        const { list } = listFor("a=b", false);
        await list.load();
        expect(listFor("a=b", true)).toEqual({ list, kept: true });
        expect(knownAlert(`id${LINES}`)!.seq).toBe(LINES);
        expect(listFor("a=c", true).kept).toBe(false);
        expect(knownAlert(`id${LINES}`)).toBeUndefined();
    });
    it("knows an exchange's own alert, not a pod's that names the exchange", async () => {
        const list = await loaded();
        const finding = { part: "pod", location: "", name: "prod/web-1", rule: "request", observed: "", expected: "", p: 0 };
        list.fresh = [{ ...alert(LINES + 1), id: `id${LINES}`, findings: [finding as unknown as Alert["findings"][number]] }];
        expect(list.find(`id${LINES}`)!.seq).toBe(LINES);
    });
});

describe("alerts over time", () => {
    const index = (bins: number[]): AlertIndex => ({ lines: 9, alerts: 9, step: 100, cursors: [], until_ms: 100_000, bin_ms: 1000, bins });
    it("begins with the oldest and counts what came since", () => {
        const { times, values } = overTime(index([5, 0, 3, 0, 0]), [{ ...alert(1), last_ms: 102_000, count: 4 }]);
        expect(values).toEqual([3, 0, 5, 0, 4]);
        expect(times[2]).toBe(100);
        expect(times[4]).toBe(102);
    });
    it("is bounded whatever the clocks say", () => {
        expect(overTime(index([1]), [{ ...alert(1), last_ms: 9e15, count: 1 }]).values.length).toBeLessThan(1100);
        expect(overTime(index([]), [alert(1)]).values.length).toBeLessThan(1100);
    });
    it("tells one line from another", () => expect(keyOf(alert(1))).not.toBe(keyOf(alert(2))));
});
