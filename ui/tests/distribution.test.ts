// SPDX-License-Identifier: Apache-2.0
import { cleanup, fireEvent, render, screen } from "@testing-library/svelte";
import { afterEach, describe, expect, it, vi } from "vitest";
import Endpoint from "../src/pages/Endpoint.svelte";
import Histogram from "../src/parts/Histogram.svelte";
import { HEIGHT, bucketWords, draw, limitWords, type Distribution } from "../src/lib/distribution";
import type { Schemas } from "../src/lib/api";
import { texts } from "../src/texts";

const t = texts.distribution;
const distribution = (more: Partial<Distribution> = {}): Distribution => ({
    of: "length", unit: "bytes", exchanges: 569, without: 0, p50: 4, p95: 5, p99: 8, lower: { at: 4, armed: true, beyond: 50 }, upper: { at: 8, armed: true, beyond: 1 },
    buckets: [
        { lower: 3, upper: 3, exchanges: 50, clients: 8 },
        { lower: 4, upper: 4, exchanges: 400, clients: 8 },
        { lower: 5, upper: 5, exchanges: 110, clients: 7 },
        { lower: 8, upper: 8, exchanges: 8, clients: 4 },
        { lower: 192, upper: 223, exchanges: 1, clients: 1 },
    ],
    ...more,
});

afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
});

describe("a distribution", () => {
    it("is drawn bucket by bucket, with gaps and both limits", () => {
        const { columns, limits, width } = draw(distribution());
        expect(columns.map((one) => one.beyond)).toEqual([true, false, false, false, true]);
        expect(columns[1]!.height).toBe(HEIGHT - 2);
        expect(columns[4]!.height).toBe(2);
        expect(limits).toHaveLength(2);
        expect(limits[0]).toBeGreaterThan(columns[0]!.x + columns[0]!.width);
        expect(limits[0]).toBeLessThan(columns[1]!.x);
        expect(limits[1]).toBeGreaterThan(columns[3]!.x + columns[3]!.width);
        expect(limits[1]).toBeLessThan(columns[4]!.x);
        const step = columns[2]!.x - columns[1]!.x;
        expect(columns[3]!.x - columns[2]!.x).toBeGreaterThan(step);
        for (const one of columns) expect(one.x + one.width).toBeLessThan(width);
    });
    it("has its limit behind the last bucket when nothing is beyond it, and none when there is none", () => {
        const all = distribution({ lower: null, upper: { at: 300, armed: true, beyond: 0 } });
        const { columns, limits } = draw(all);
        expect(limits).toHaveLength(1);
        expect(limits[0]).toBeGreaterThan(columns[4]!.x + columns[4]!.width);
        expect(limitWords(all)).toContain(t.nothingBeyond);
        const learning = distribution({ lower: null, upper: null });
        expect(draw(learning).limits).toEqual([]);
        expect(limitWords(learning)).toBe(t.noLimit);
    });
    it("is never drawn out of its frame", () => {
        const { columns } = draw(distribution({ buckets: [{ lower: 1, upper: 1, exchanges: -5, clients: 0 }, { lower: 2, upper: 2, exchanges: 1e300, clients: 8 }] }));
        for (const one of columns) {
            expect(one.height).toBeGreaterThanOrEqual(2);
            expect(one.height).toBeLessThanOrEqual(HEIGHT);
        }
    });
    it("tells a bucket and the limits in words", () => {
        const all = distribution();
        expect(bucketWords(all, all.buckets[0]!)).toBe(`3 bytes: 50 ${t.of} 569 ${t.exchanges}, 8 ${t.orMore} ${t.clients}, ${t.beyond}`);
        expect(bucketWords(all, all.buckets[2]!)).toBe(`5 bytes: 110 ${t.of} 569 ${t.exchanges}, 7 ${t.clients}`);
        expect(bucketWords(all, all.buckets[4]!)).toBe(`192–223 bytes: 1 ${t.of} 569 ${t.exchanges}, 1 ${t.client}, ${t.beyond}`);
        expect(limitWords(all)).toBe(`${t.usual} 4–8 bytes; 51 ${t.seenBeyond}`);
        expect(limitWords(distribution({ lower: null, upper: { at: 8, armed: false, beyond: 1 } }))).toContain(t.unarmed);
    });
});

describe("Histogram", () => {
    it("goes from bucket to bucket by keys and says each", async () => {
        render(Histogram, { distribution: distribution(), title: "Length" });
        const chart = screen.getByRole("slider", { name: /^Length/ });
        expect(chart.tabIndex).toBe(0);
        expect(chart.getAttribute("aria-valuetext")).toContain(t.half);
        await fireEvent.focus(chart);
        expect(chart.getAttribute("aria-valuenow")).toBe("1");
        await fireEvent.keyDown(chart, { key: "ArrowRight" });
        expect(chart.getAttribute("aria-valuetext")).toBe(bucketWords(distribution(), distribution().buckets[1]!));
        expect(screen.getByText(bucketWords(distribution(), distribution().buckets[1]!))).toBeTruthy();
        await fireEvent.keyDown(chart, { key: "End" });
        await fireEvent.keyDown(chart, { key: "ArrowRight" });
        expect(chart.getAttribute("aria-valuenow")).toBe("5");
        await fireEvent.keyDown(chart, { key: "Home" });
        await fireEvent.keyDown(chart, { key: "ArrowLeft" });
        expect(chart.getAttribute("aria-valuenow")).toBe("1");
        await fireEvent.blur(chart);
        expect(chart.getAttribute("aria-valuetext")).toContain(t.half);
    });
    it("says the bucket below the pointer", async () => {
        const { container } = render(Histogram, { distribution: distribution(), title: "Length" });
        await fireEvent.pointerEnter(container.querySelectorAll(".reach")[4]!);
        expect(container.querySelector(".bucket")!.textContent).toBe(bucketWords(distribution(), distribution().buckets[4]!));
    });
    it("has all buckets in a table", () => {
        const { container } = render(Histogram, { distribution: distribution({ without: 7 }), title: "Length" });
        const rows = [...container.querySelectorAll("tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent));
        expect(rows).toHaveLength(5);
        expect(rows[4]).toEqual(["192–223", "1", `1 ${t.client}`, t.beyond]);
        expect(rows[2]).toEqual(["5", "110", `7 ${t.clients}`, t.within]);
        expect(container.textContent).toContain(`7 ${t.without}`);
    });
    it("forgets a bucket that is gone", async () => {
        const { rerender } = render(Histogram, { distribution: distribution(), title: "Length" });
        const chart = screen.getByRole("slider");
        await fireEvent.keyDown(chart, { key: "End" });
        await rerender({ distribution: distribution({ buckets: distribution().buckets.slice(0, 2) }), title: "Length" });
        expect(chart.getAttribute("aria-valuenow")).toBe("2");
    });
    it("says when nothing was counted", () => {
        render(Histogram, { distribution: distribution({ exchanges: 0, buckets: [], lower: null, upper: null }), title: "Length" });
        expect(screen.getByText(t.none)).toBeTruthy();
        expect(screen.queryByRole("slider")).toBeNull();
    });
});

describe("an endpoint's page", () => {
    const field = (name: string, more: Partial<Schemas["LearnedField"]> = {}): Schemas["LearnedField"] => ({
        location: "query", name, trusted: true, lacks: "", normal: "word", required: true, values: 569, clients: 12, epochs: 4, types: ["word"], pending_types: [], characters: ["a-z"], pending_characters: [],
        reads_like: [], pending_reads_like: [], length_min: 4, length_max: 8, digits_max: 0, specials_max: 0, items_max: 1, closed: false, different_values: 0, rules: [], distributions: [distribution()], ...more,
    });
    const detail = (fields: Schemas["LearnedField"][], more: Partial<Schemas["EndpointDetail"]> = {}): Schemas["EndpointDetail"] => ({
        service: "shop", method: "GET", template: "/users", exchanges: 569, clients: 12, epochs: 4, request: { ready: true, lacks: "" }, response: { ready: true, lacks: "" }, time: { ready: true, lacks: "" }, media_types: [],
        body_max: 0, latency_max_ms: 3, rules: [], distributions: [distribution({ of: "time", unit: "milliseconds" })], responses: [{ status: 2, exchanges: 569, distributions: [distribution({ of: "body" })] }],
        total: fields.length, fields, next: null, ...more,
    });
    function show(answer: Schemas["EndpointDetail"]) {
        vi.stubGlobal("fetch", vi.fn(async () => new Response(JSON.stringify(answer), { status: 200, headers: { "content-type": "application/json" } })));
        return render(Endpoint, { name: "shop", method: "GET", template: "/users" });
    }
    it("opens a parameter's distributions, and keeps names of strangers inert", async () => {
        const nasty = `<img src=x onerror=alert(1)>\u202e`;
        const { container } = show(detail([field(nasty), field("page", { distributions: [] })]));
        const button = await screen.findByRole("button", { name: /How it is spread: query <img src=x onerror=alert\(1\)>\\u\{202e\}/ });
        expect(container.querySelector("img")).toBeNull();
        expect(screen.getByText(texts.endpoint.notCounted)).toBeTruthy();
        expect(screen.getAllByRole("slider").map((one) => one.getAttribute("aria-label"))).toEqual([`${t.numbers.time}: ${t.choose}`, `${texts.endpoint.answers} 2xx: ${t.numbers.body}: ${t.choose}`]);
        expect(button.getAttribute("aria-expanded")).toBe("false");
        await fireEvent.click(button);
        expect(button.getAttribute("aria-expanded")).toBe("true");
        expect(screen.getByRole("slider", { name: /^Length/ })).toBeTruthy();
        await fireEvent.click(button);
        expect(screen.queryByRole("slider", { name: /^Length/ })).toBeNull();
    });
    it("says when neither bodies nor times were counted", async () => {
        show(detail([field("page")], { distributions: [], responses: [] }));
        expect(await screen.findByText(texts.endpoint.noSpread)).toBeTruthy();
    });
});
