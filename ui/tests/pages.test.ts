// SPDX-License-Identifier: Apache-2.0
// Pages with what guardd answers: what isn't protected comes first, what isn't there is said, and what a role may not do isn't offered.
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import App from "../src/App.svelte";
import AlertPage from "../src/pages/AlertPage.svelte";
import Overview from "../src/pages/Overview.svelte";
import Patches from "../src/pages/Patches.svelte";
import Review from "../src/pages/Review.svelte";
import ServicePage from "../src/pages/ServicePage.svelte";
import { asked } from "../src/lib/actions.svelte";
import type { Alert, Schemas, Service, ServiceSummary } from "../src/lib/api";
import { byCoverage, falseBlocks, oneIn, open } from "../src/lib/coverage";
import { neighbours } from "../src/lib/neighbours";
import { route } from "../src/lib/route.svelte";
import { session } from "../src/lib/session.svelte";
import { suggestionsOf } from "../src/lib/suggestions";
import { time } from "../src/lib/times";
import { texts } from "../src/texts";

/** A reader sees no evidence. */
type Role = "reader" | "operator";
function as(role: Role) {
    const rights = role === "reader" ? ["read"] : ["read", "evidence", "operate"];
    Object.assign(session, { state: "in", who: { name: "ann", role: "viewer", rights, services: [], seconds: 60 } });
}

/** guardd: what it answers to a path that begins so; nothing of it is there otherwise. */
function guardd(answers: Record<string, unknown>) {
    const requests: string[] = [];
    vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
        requests.push(`${init.method ?? "GET"} ${path}`);
        const found = Object.keys(answers).filter((one) => path.startsWith(`/api/v1${one}`)).sort((a, b) => b.length - a.length)[0];
        if (found === undefined) return Promise.resolve(Response.json({ detail: "there is none" }, { status: 404 }));
        const answer = answers[found];
        return Promise.resolve(answer instanceof Response ? answer.clone() : Response.json(answer));
    });
    return requests;
}

const summary = (service: string, more: Partial<ServiceSummary> = {}): ServiceSummary => ({
    service, mode: "block", learn: "on", ready: true, progress: 1, generation: 3, rolled_back_to: 0, exchanges: 10, hours: new Array<number>(24).fill(0), bypassed: false,
    guardian_error: "", review_error: "", false_blocks: { budget: 0.0001, expected: 0.0001, proved: 0.00012 }, pods: { workloads: 0, told: 0, replace: 0 }, ...more,
});
const path = (not_in_path: boolean) => ({ not_in_path, pods: 2, proved: 1, bare: 1, silent: 0, message: "1 of 2 pods: shop-2 (port 8080, status 404)" });
const service = (more: Partial<Service> = {}): Service => ({
    service: "shop", mode: "alert", learn: "on", generation: 3, exchanges: 10, refused: 0, overflowed: false, memory: 1, guardian_error: "", exceptions: { in_force: 0, expires_soon: 0, expired: 0 },
    patches: { count: 0, enforced: 0, expired: [], expires_soon: [], fixed: [] }, review_error: "", review: { accepted: 0, refused: 0 }, generations: [], rolled_back_to: 0,
    releases: { let_in: 1, waiting: 2, refused: 0 }, ready: true, progress: 1, endpoints: [], coverage: { endpoints: 2, ready: 1, exchanges: 0.5 }, false_blocks: { budget: 0.0001, expected: 0.005, proved: 0.01 }, bypass: null, ...more,
});
const history = { service: "shop", since_ms: 1, step_s: 60, steps: 1, points: [] };

beforeEach(() => {
    as("operator");
    vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
});
afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
    Object.assign(session, { state: "asking", who: null });
    asked.action = null;
    location.hash = "";
});

describe("the overview", () => {
    const services = [
        summary("ready"), summary("learning", { ready: false }), summary("watched", { mode: "observe" }), summary("bypassed", { bypassed: true }),
        summary("outside", { path: path(true) }), summary("inside", { path: path(false) }), summary("broken", { guardian_error: "line 3" }),
    ];
    it("puts first what is in trouble, then what requests may get by, what is bypassed, what only watches", () => {
        expect([...services].sort(byCoverage).map((one) => one.service)).toEqual(["broken", "outside", "bypassed", "watched", "learning", "inside", "ready"]);
        expect(services.filter(open).map((one) => one.service)).toEqual(["watched", "bypassed", "outside"]);
    });
    it("says what isn't in the path, and why, and counts it as not protected though it blocks", async () => {
        guardd({ "/services?": { total: 7, services, next: null }, "/alerts?": { newest: "", alerts: [], next: null } });
        render(Overview);
        const row = (await screen.findAllByRole("link")).find((one) => one.textContent?.startsWith("outside"))!;
        expect(within(row).getByText(texts.overview.outside).title).toContain("shop-2");
        expect(screen.getAllByText(texts.overview.outside)).toHaveLength(1);
        const cards = screen.getAllByRole("listitem").map((one) => one.textContent);
        expect(cards.find((one) => one?.includes(texts.overview.openHint))).toMatch(/^3/);
        expect(cards.find((one) => one?.includes(texts.overview.blocking))).toMatch(/^4/);
        await fireEvent.change(screen.getByLabelText(texts.overview.kind), { target: { value: "outside" } });
        expect(screen.getAllByRole("link").filter((one) => one.className === "service").map((one) => one.textContent?.slice(0, 7))).toEqual(["outside"]);
    });
    it("takes no alerts that a reader may not see", async () => {
        as("reader");
        const requests = guardd({ "/services?": { total: 1, services: services.slice(0, 1), next: null } });
        render(Overview);
        await screen.findByText("ready", { selector: "bdi" });
        expect(requests.filter((one) => one.includes("alerts"))).toEqual([]);
    });
    it("shows the services before it asks for alerts, and never a number that isn't known", async () => {
        let serve: (answer: Response) => void = () => {};
        let come: ((answer: Response) => void) | undefined;
        vi.stubGlobal("fetch", (path: string) => new Promise<Response>((resolve) => (path.includes("/alerts?") ? (come = resolve) : (serve = resolve))));
        render(Overview);
        await new Promise((done) => setTimeout(done, 20));
        expect(come).toBeUndefined();
        serve(Response.json({ total: 1, services: services.slice(0, 1), next: null }));
        await screen.findByText("ready", { selector: "bdi" });
        await waitFor(() => expect(come).toBeDefined());
        const card = () => screen.getByText(texts.overview.day).closest("li")!;
        expect(card().textContent).toMatch(/^…/);
        expect(card().getAttribute("aria-busy")).toBe("true");
        const alert = { id: "a", seq: 1, service: "ready", time_ms: Date.now(), last_ms: Date.now(), count: 1, findings: [] };
        come!(Response.json({ newest: "", alerts: [alert], next: null }));
        await waitFor(() => expect(card().textContent).toMatch(/^1/));
        expect(card().getAttribute("aria-busy")).toBe("false");
    });
    it("tells that alerts can't be had", async () => {
        vi.useFakeTimers({ shouldAdvanceTime: true });
        guardd({ "/services?": { total: 1, services: services.slice(0, 1), next: null } }); // and 404 to all else
        render(Overview);
        await screen.findByText("ready", { selector: "bdi" });
        await vi.advanceTimersByTimeAsync(16_000);
        expect((await screen.findByRole("alert")).textContent).toContain(texts.failures.missing);
        vi.useRealTimers();
    });
    it("says how to begin when there is no service, and that none matches", async () => {
        guardd({ "/services?": { total: 0, services: [], next: null }, "/alerts?": { newest: "", alerts: [], next: null } });
        render(Overview);
        await screen.findByText(texts.overview.empty);
    });
});

describe("false blocks", () => {
    it("are promised as far as they are proved", () => {
        expect(falseBlocks({ false_blocks: { budget: 0.0001, expected: 0.0001, proved: 0.000125 } })).toMatchObject({ text: "≤ 1 in 8,000", proved: true });
        const little = falseBlocks({ false_blocks: { budget: 0.0001, expected: 0.005, proved: 0.00997 } });
        expect(little).toMatchObject({ text: "≤ 1 in 100", proved: false });
        expect(little.hint).toContain("1 in 10,000");
        expect(falseBlocks({ false_blocks: { budget: 0.0001, expected: 1, proved: 1 } }).text).toBe(texts.falseBlocks.nothing);
        expect(oneIn(0.003)).toBe("1 in 333"); // never more than is so
    });
});

describe("what isn't there", () => {
    it("a service: a heading, why, and where to go on; nothing to try again", async () => {
        guardd({});
        render(ServicePage, { name: "nowhere\u202e<b>", tab: "learned" });
        expect((await screen.findByRole("heading", { level: 1, name: texts.missing.service })).textContent).toBe(texts.missing.service);
        expect(screen.getByText(texts.missing.serviceWhy)).toBeTruthy();
        expect(document.body.textContent).toContain("nowhere\\u{202e}<b>");
        expect(screen.getByRole("link", { name: texts.missing.overview }).getAttribute("href")).toBe("#/");
        expect([screen.queryByText(texts.retry), screen.queryByRole("alert")]).toEqual([null, null]);
    });
    it("a service that guardd can't be asked for has its name as heading, and can be tried again", async () => {
        vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
        render(ServicePage, { name: "shop", tab: "learned" });
        await screen.findByText(texts.retry);
        expect(screen.getAllByRole("heading", { level: 1 }).map((one) => one.textContent)).toEqual(["shop"]);
    });
    it("an alert that is no longer kept", async () => {
        guardd({});
        render(AlertPage, { id: "0000-1" });
        await screen.findByRole("heading", { level: 1, name: texts.missing.alert });
    });
    it("a page", async () => {
        guardd({ "/session": session.who });
        route.now = { path: ["nonsense", "x"], query: new URLSearchParams() };
        render(App);
        await screen.findByRole("heading", { level: 1, name: texts.missing.page });
        expect(document.title).toContain(texts.missing.page);
        route.now = { path: [], query: new URLSearchParams() };
    });
});

describe("a service", () => {
    const answers = (more: Partial<Service> = {}) => ({ "/services/shop/history": history, "/services/shop": service(more) });
    it("says that requests may get by its gates, and what is proved of false blocks", async () => {
        guardd(answers({ path: path(true) }));
        render(ServicePage, { name: "shop", tab: "learned" });
        expect((await screen.findByRole("alert")).textContent).toContain("shop-2");
        expect(screen.getByText("≤ 1 in 100")).toBeTruthy();
        expect(document.body.textContent).toContain("1 in 10,000");
    });
    it("names the revision that runs and until when what is new in it isn't blocked", async () => {
        guardd(answers({ revision: { text: "v7", seen_ms: 1e12, new_until_ms: Date.now() + 60_000 } }));
        render(ServicePage, { name: "shop", tab: "learned" });
        await screen.findByText("v7");
        expect(document.body.textContent).toContain(texts.revisions.fresh);
        expect(document.body.textContent).toContain(`1 ${texts.revisions.letIn}, 2 ${texts.revisions.waiting}`);
    });
    it("offers a reader no change", async () => {
        as("reader");
        guardd(answers());
        render(ServicePage, { name: "shop", tab: "learned" });
        await screen.findByRole("heading", { name: texts.revisions.title });
        expect(screen.queryAllByRole("button")).toEqual([]);
        expect(screen.queryByRole("link", { name: texts.service.tabs.review })).toBeNull();
    });
});

describe("patches", () => {
    const patch = (id: string, more: Partial<Schemas["Patch"]> = {}): Schemas["Patch"] => ({
        id, title: "T", part: "request", mode: "shadow", action: "block", mandatory: false, expires: null, standing: "in-force", fixed_in: "", author: "", reason: "", references: [],
        hits: { hits: 12, shadow_hits: 3456, since_ms: 1e12 }, cost: { tried: 1000, held: 4, bytes: 9, timed: 10, timed_ns: 25_000 }, ...more,
    });
    it("tell hits, hits in shadow, and what they cost", async () => {
        guardd({ "/services/shop/patches?": { service: "shop", total: 2, patches: [patch("a"), patch("b", { hits: undefined, cost: undefined })], next: null } });
        render(Patches, { name: "shop" });
        const cells = async (id: string) => within((await screen.findByText(id)).closest("tr")!).getAllByRole("cell").map((one) => one.textContent);
        expect((await cells("a")).slice(3, 6)).toEqual(["12", "3,456", "2.5 µs × 1,000"]);
        expect((await cells("b")).slice(3, 6)).toEqual(["0", "0", "–"]);
    });
    it("can't be changed by a reader", async () => {
        as("reader");
        guardd({ "/services/shop/patches?": { service: "shop", total: 1, patches: [patch("a")], next: null } });
        render(Patches, { name: "shop" });
        await screen.findByText("a");
        expect(screen.getAllByRole("button").map((one) => one.textContent)).toEqual([texts.patches.show]);
    });
});

const waiting = (id: string, more: Partial<Schemas["Waiting"]> = {}): Schemas["Waiting"] => ({
    state: "waiting", service: "shop", id, kind: "name", method: "GET", path: "/cart", response: 0, in: "query", name: "coupon", element: "coupon", records: 20, clients: 14, epochs: 1, first_ms: 4000,
    lacks: "1 more epoch", likeness: [], ...more,
});
const alert = (id: string, last_ms: number, more: Partial<Alert> = {}): Alert => ({
    time_ms: last_ms, generation: 1, status: 200, score: 5, id, service: "shop", verdict: "alert", action: "alert", method: "GET", template: "/cart", client: "10.0.0.1", explanation: `because ${id}`,
    findings: [{ part: "request", location: "query", name: "coupon", rule: "name", observed: "", expected: "", p: 0.001, weight: 1 }] as unknown as Alert["findings"], suppressed: 0, count: 1, first_ms: last_ms, last_ms, ...more,
});

describe("what looks like a release", () => {
    it("is new, used by several, and reads like no attack", () => {
        const items = [waiting("few", { clients: 3 }), waiting("odd", { likeness: ["sql"] }), waiting("char", { kind: "character" }), waiting("a", { clients: 5, name: "other" }), waiting("b")];
        expect(suggestionsOf(items).map((one) => one.id)).toEqual(["b", "a"]);
    });
    it("says who uses it and since when by what guardd learned, whatever alerts are kept", async () => {
        const first_ms = Date.UTC(2026, 10, 29, 10, 2, 11);
        const items = [waiting("a", { first_ms }), waiting("b", { kind: "path", element: "v2", in: "", name: "", clients: 8, first_ms: 0 }), waiting("c", { kind: "character", element: "=", first_ms: 0 })];
        const requests = guardd({ "/services/shop/review?": { service: "shop", total: 3, left_out: 0, items, next: null } });
        render(Review, { name: "shop" });
        const region = (await screen.findByRole("heading", { name: texts.review.release })).closest("section")!;
        const [field, path] = within(region).getAllByRole("listitem").map((one) => one.textContent);
        expect(field).toContain(`14 ${texts.review.use} field query coupon`);
        expect(field).toContain(`${texts.review.since} ${time(first_ms)}`);
        expect(path).toContain(`8 ${texts.review.orMore} ${texts.review.use}`);
        expect(path).toContain(texts.review.sinceUnknown);
        const rows = screen.getAllByRole("row").map((one) => one.textContent);
        expect(rows.map((one) => [one?.includes(time(first_ms)), one?.includes(texts.review.sinceUnknown)])).toEqual([[true, false], [false, true], [false, false]]);
        expect(requests.filter((one) => one.includes("/alerts"))).toEqual([]);
    });
    it("is offered to be accepted, all of it at once, by who may", async () => {
        const items = [waiting("a"), waiting("b", { kind: "path", element: "v2", in: "", name: "" })];
        const answers = { "/services/shop/review?": { service: "shop", total: 2, left_out: 0, items, next: null } };
        guardd(answers);
        render(Review, { name: "shop" });
        const region = (await screen.findByRole("heading", { name: texts.review.release })).closest("section")!;
        expect(region.textContent).toContain(`14 ${texts.review.use} field query coupon`);
        await fireEvent.click(within(region).getByText(texts.review.acceptAll));
        expect(asked.action?.body?.("why")).toEqual({ decision: "accept", ids: ["a", "b"], why: "why" });
        cleanup();
        as("reader");
        guardd(answers);
        render(Review, { name: "shop" });
        await screen.findByRole("heading", { name: texts.review.release });
        expect(screen.queryAllByRole("button")).toEqual([]);
    });
});

describe("neighbours in time", () => {
    it("are those of the service just before and after, without itself", async () => {
        const requests = guardd({ "/alerts?": { newest: "", alerts: [alert("x", 50_000), alert("y", 40_000)], next: null } });
        const near = await neighbours(alert("x", 1_000_000));
        expect([near.before.map((one) => one.id), near.after.map((one) => one.id), near.crowded]).toEqual([["y"], ["y"], false]);
        expect(requests).toEqual(["GET /api/v1/alerts?service=shop&since=400000&until=1000000&limit=6", "GET /api/v1/alerts?service=shop&since=1000001&until=1600000&limit=100"]);
    });
    it("are looked for in less time when many came, and given up when too many did", async () => {
        const requests = guardd({ "/alerts?": { newest: "", alerts: [alert("y", 40_000)], next: "more" } });
        expect(await neighbours(alert("x", 1_000_000))).toMatchObject({ after: [], crowded: true });
        expect(requests).toHaveLength(4);
    });
    it("stand on an alert's page", async () => {
        const one = alert("here", Date.now());
        guardd({ "/alerts/here": one, "/alerts/here/review": { id: "here", service: "shop", generation: 1, taught: 0, findings: [] }, "/alerts/here/triage": Response.json({}, { status: 404 }), "/alerts?": { newest: "", alerts: [alert("near", 40_000)], next: null } });
        render(AlertPage, { id: "here" });
        await waitFor(() => expect(screen.getAllByText(/because near/).length).toBeGreaterThan(1));
    });
});
