// SPDX-License-Identifier: Apache-2.0
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/svelte";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import PodBudget from "../src/parts/PodBudget.svelte";
import PodReplicas from "../src/parts/PodReplicas.svelte";
import PodThing from "../src/parts/PodThing.svelte";
import PodView from "../src/parts/PodView.svelte";
import Pods from "../src/pages/Pods.svelte";
import { asked } from "../src/lib/actions.svelte";
import type { Alert } from "../src/lib/api";
import { captureOf, chosen, momentsOf, placeOf, rowsOf, split, toldOf, unseenOf, type Books, type Case, type Order, type Pods as Answer, type Replica, type Responder, type Workload } from "../src/lib/pods";
import { session } from "../src/lib/session.svelte";
import { texts } from "../src/texts";

const t = texts.pods;

function replica(pod: string, more: Partial<Replica> = {}): Replica {
    return { pod, node: "node-1", first_ms: 1e12, last_ms: 2e12, records: 9, incomplete: 0, blind: [], amounts: {}, alone_count: 0, alone: [], ...more };
}
function workload(replicas: Replica[], more: Partial<Workload> = {}): Workload {
    return { namespace: "prod", workload: "web", container: "app", ready: true, records: 90, replica_days: 12, known: 5, normal: 4, live_count: replicas.length, responder: null, replicas, ...more };
}
function told(pod: string, decision: Case["decision"], more: Partial<Case> = {}): Case {
    return { told_ms: 5000, decision, namespace: "prod", workload: "web", container: "app", pod, score: 9, others: 3, not_more: "", exchange: "", order: "", explanation: "", evidence: [], ...more };
}
function answer(workloads: Workload[], more: Partial<Answer> = {}): Answer {
    return { service: "shop", orders_mode: "off", responder: null, sessions: [], withdrawals: [], cases: [], orders: [], workloads, ...more };
}
const order: Order = {
    id: "5c1f", decided_ms: 5000, namespace: "prod", workload: "web", container: "app", pod: "b", uid: "", dry_run: false, reason: "", exchange: "", damaged_lines: 0,
    steps: [
        { time_ms: 6000, step: "contain", outcome: "done", detail: "no new connections" },
        { time_ms: 7000, step: "capture", outcome: "failed", detail: "no room" },
        { time_ms: 8000, step: "capture", outcome: "done", detail: "/captures/5c1f: 3 processes" },
    ],
    end: { time_ms: 9000, end: "replaced", detail: "c serves" },
};
function as(...rights: ("read" | "evidence" | "operate")[]) {
    session.who = { name: "ann", role: "operator", rights, services: [], seconds: 60 } as unknown as typeof session.who;
}

beforeEach(() => as("read", "evidence", "operate"));
afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
    session.who = null;
    asked.action = null;
});

describe("replicas", () => {
    it("stand with those that deviate first: by what was told, then by how much they do alone", () => {
        const list = workload([replica("a"), replica("b", { alone_count: 1 }), replica("c", { alone_count: 7 }), replica("d"), replica("e")]);
        const rows = rowsOf(list, { cases: [told("d", "alert"), told("e", "replace"), told("e", "alert")], sessions: [] });
        expect(rows.map((row) => row.replica.pod)).toEqual(["e", "d", "c", "b", "a"]);
        expect(rows[0]!.told).toBe("replace");
        expect(chosen(rows, "deviating").map((row) => row.replica.pod)).toEqual(["e", "d", "c", "b"]);
    });
    it("aren't told of by cases of another namespace or container", () => {
        const cases = [told("a", "replace", { namespace: "test" }), told("b", "replace", { container: "proxy" })];
        expect(rowsOf(workload([replica("a"), replica("b")]), { cases, sessions: [] }).map((row) => row.told)).toEqual([null, null]);
        expect(toldOf(cases, "test/a")).toBe("replace");
    });
    it("say what no sensor sees, and don't count it as nothing done", () => {
        const rows = rowsOf(workload([replica("a", { blind: ["exec", "user", "dns"] }), replica("b", { incomplete: 1 }), replica("c", { blind: ["request", "outbound"] })]), { cases: [], sessions: [] });
        const of = (pod: string) => rows.find((row) => row.replica.pod === pod)!;
        expect([of("a").cells.processes.seen, of("a").cells.network.seen, of("a").cells.files.seen, of("a").cells.gate.seen]).toEqual(["nothing", "partly", "all", "all"]);
        expect(chosen(rows, "unseen").map((row) => row.replica.pod)).toEqual(["a", "b"]);
        expect(unseenOf(of("c").replica)).toEqual([]);
    });
    it("of hundreds are shown a page at a time, with how many the answer left out", async () => {
        const list = workload(Array.from({ length: 256 }, (_, i) => replica(`web-${i}`)), { live_count: 2000 });
        const { container } = render(PodReplicas, { service: "shop", workload: list, pods: answer([list]), which: "all", filtered: false, reload: () => {} });
        expect(container.querySelectorAll("tbody th")).toHaveLength(50);
        expect(container.textContent).toContain(`1,744 ${t.leftOut}`);
        expect(container.querySelector("button")!.textContent).toBe(`${t.showMore} (206)`);
        await fireEvent.click(container.querySelector("button")!);
        expect(container.querySelectorAll("tbody th")).toHaveLength(100);
    }, 60_000); // much to render without a browser
    it("may have the same name, as one that was made anew has", () => {
        const list = workload([replica("web-0"), replica("web-0", { alone_count: 1 })]);
        const { container } = render(PodReplicas, { service: "shop", workload: list, pods: answer([list]), which: "all", filtered: false, reload: () => {} });
        expect(container.querySelectorAll("tbody th")).toHaveLength(2);
    });
    it("say “unseen” in the cell, and that one alone can't be compared", () => {
        const list = workload([replica("a", { blind: ["exec", "user"] })]);
        render(PodReplicas, { service: "shop", workload: list, pods: answer([list]), which: "all", filtered: false, reload: () => {} });
        expect(screen.getByRole("cell", { name: t.unseen })).toBeTruthy();
        expect(screen.getByText(t.lonely)).toBeTruthy();
    });
});

describe("a case", () => {
    const one = told("b", "replace", {
        told_ms: 5000,
        order: "5c1f",
        not_more: "another was to be replaced for it, one kind of evidence",
        evidence: [
            { id: "1", kind: "dropped", text: "runs /tmp/x", hard: true, strength: 5.1, with: 0, days: 80, seen_ms: 4000, exchange: "5f3a" },
            { id: "2", kind: "request", text: "gets GET /lookup", hard: false, strength: 2, with: 0, days: 80, seen_ms: 3000, exchange: "5f3a" },
            { id: "3", kind: "amount", text: "bytes out", hard: false, strength: 1, with: 2, days: 60, seen_ms: 4000, exchange: "" },
        ],
    });
    it("is told in the order of time, from the door to the end", () => {
        expect(momentsOf(one, order).map((moment) => `${moment.what} ${moment.outcome || moment.text}`)).toEqual([
            "door gets GET /lookup", "evidence runs /tmp/x", "evidence bytes out", "order 5c1f", "told replace", "step contain done", "step capture failed", "step capture done", "end replaced",
        ]);
    });
    it("has what the gate said of the request, and no step before its order, whatever whole seconds say", () => {
        const early = { ...order, decided_ms: 5400, steps: order.steps.map((step) => ({ ...step, time_ms: 5000 })), end: { ...order.end!, time_ms: 5000 } };
        const said = { time_ms: 2000, explanation: "BLOCK GET /lookup" } as unknown as Alert;
        expect(momentsOf({ ...one, told_ms: 5400 }, early, said).map((moment) => moment.what)).toEqual(["door", "door", "evidence", "evidence", "order", "told", "step", "step", "step", "end"]);
    });
    it("names where captures are only when they were made", () => {
        expect(captureOf(order)).toBe("/captures/5c1f: 3 processes");
        expect(captureOf({ ...order, steps: order.steps.slice(0, 2) })).toBe("");
    });
    it("of a pod that is gone is kept, in words, with hard signs marked; amounts can't be decided about", async () => {
        vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ alerts: [], next: null })));
        render(PodView, { service: "shop", name: "prod/b", pods: answer([], { cases: [one], orders: [order] }), decisions: [], reload: () => {} });
        expect(screen.getByText(t.gone)).toBeTruthy();
        expect(screen.getAllByText(t.hard).length).toBe(2);
        expect(screen.getByText(/the hole is open; a second, independent kind/)).toBeTruthy();
        expect(screen.getAllByText(t.decide.approve)).toHaveLength(2);
        expect(screen.getByText(`2 ${t.minutesOf} 60 ${t.minutes}`)).toBeTruthy();
        expect(screen.getByText(t.doorUnknown, { exact: false })).toBeTruthy();
    });
});

describe("deciding", () => {
    const mine = { id: "00000000000000aa", text: "runs /tmp/x\u202e" };
    it("says what it does, its undo, and the command; a hard sign is warned of", async () => {
        render(PodThing, { service: "shop", thing: mine, decided: null, hard: true, reload: () => {} });
        await fireEvent.click(screen.getByText(t.decide.approve));
        const action = asked.action!;
        expect(action.says).toContain(t.hardWarning);
        expect(action.says).toContain("\\u{202e}");
        expect(action.body!("x")).toEqual({ id: mine.id, decision: "approve", reason: "x" });
        expect(action.cli("it's ours")).toBe("guard pods approve shop 00000000000000aa --reason 'it'\\''s ours'");
        expect(action.undo).toBe(t.decideUndo.approve);
        expect(action.reason).toBe("needed");
    });
    it("offers only the other one once it is decided, and nothing to who may only look", () => {
        render(PodThing, { service: "shop", thing: mine, decided: "approve", reload: () => {} });
        expect(screen.queryByText(t.decide.approve)).toBeNull();
        expect(screen.getByText(t.decide.refuse)).toBeTruthy();
        cleanup();
        as("read", "evidence");
        render(PodThing, { service: "shop", thing: mine, decided: null, reload: () => {} });
        expect(screen.queryByRole("button")).toBeNull();
    });
    it("begins and ends a session of the pod", async () => {
        const list = workload([replica("b")]);
        render(PodView, { service: "shop", name: "prod/b", pods: answer([list]), decisions: [], reload: () => {} });
        await fireEvent.change(screen.getByLabelText(t.sessionFor), { target: { value: "14400" } });
        await fireEvent.click(screen.getByText(t.sessionBegin));
        expect(asked.action!.body!("x")).toEqual({ pod: "prod/b", seconds: 14400, reason: "x" });
        expect(asked.action!.cli("x")).toBe("guard pods session shop prod/b --for 240m --reason x");
        cleanup();
        render(PodView, { service: "shop", name: "prod/b", pods: answer([list], { sessions: [{ namespace: "prod", pod: "b", until_ms: 2e12 }] }), decisions: [], reload: () => {} });
        await fireEvent.click(screen.getByText(t.sessionEnd));
        expect(asked.action!.body!("x")).toEqual({ pod: "prod/b", reason: "x" });
        expect(asked.action!.cli("x")).toContain("--for 0s");
    });
    it("tells of its withdrawal, and lets it serve again", async () => {
        const one = { id: "5c1f", namespace: "prod", workload: "web", pod: "b", uid: "", by: "guardd", reason: "misused", ordered: true, begun_ms: 1e12, until_ms: 2e12, obeyed: false };
        render(PodView, { service: "shop", name: "prod/b", pods: answer([workload([replica("b")])], { withdrawals: [one, { ...one, id: "5c20", pod: "c" }] }), decisions: [], reload: () => {} });
        expect(screen.getByText(t.withdrawals.notYet)).toBeTruthy();
        await fireEvent.click(screen.getByText(t.withdrawals.end));
        expect(asked.action!.method).toBe("DELETE");
        expect(asked.action!.path).toBe("/services/shop/pods/withdrawals/5c1f");
        expect(asked.action!.reasonInPath).toBe(true);
        expect(asked.action!.cli("x")).toBe("guard pods withdraw shop prod/b --for 0s --reason x --server URL");
    });
});

describe("the responder's books", () => {
    const responder: Responder = { seen_ms: 1e12, lives: true, dry_run: false, stopped: false, broken: null, resumes: true, hour: { allowed: 10, next_ms: null } };
    const books: Books = { dry_run: false, budget: { allowed: 3, spent: 1, window_seconds: 600, in_flight: false, backoff_seconds: 60, next_ms: 2e12, permit: "stopped" }, stopped: { since_ms: 1e12, reason: "replacement" }, contained: [], resume_pending: false };
    const shown = (more: Partial<Books> | null, of = responder) =>
        render(PodBudget, { service: "shop", workload: workload([], { responder: more ? { ...books, ...more } : null }), responder: of, reload: () => {} });
    it("say why nothing is done, and resume a workload that it stopped for", async () => {
        shown({});
        expect(screen.getByText(new RegExp(t.stops.replacement.slice(0, 20)))).toBeTruthy();
        await fireEvent.click(screen.getByText(t.resume));
        expect(asked.action!.path).toBe("/services/shop/pods/resume");
        expect(asked.action!.body!("patched")).toEqual({ workload: "prod/web", reason: "patched" });
        expect(asked.action!.danger).toBe(true);
    });
    it("offer to resume only where it can be taken", () => {
        shown({ resume_pending: true });
        expect(screen.queryByText(t.resume)).toBeNull();
        cleanup();
        shown({}, { ...responder, resumes: false });
        expect(screen.queryByText(t.resume)).toBeNull();
        expect(screen.getByText(/guard-responder --config FILE --resume prod\/web/)).toBeTruthy();
        cleanup();
        shown({ stopped: null });
        expect(screen.queryByText(t.resume)).toBeNull();
    });
    it("invent nothing where there are none", () => {
        shown(null);
        expect(screen.getByText(t.budgetNone)).toBeTruthy();
        expect(screen.queryByText(t.budget)).toBeNull();
    });
});

describe("the page", () => {
    const page = () => render(Pods, { name: "shop", pod: "", mode: "alert" });
    const answers = (pods: unknown) => vi.stubGlobal("fetch", (path: string) => Promise.resolve(Response.json(path.includes("/decisions") ? { decisions: [], next: null } : pods)));
    it("says that no sensor told of pods", async () => {
        answers(answer([]));
        page();
        await screen.findByText(t.empty);
    });
    it("names the guardd that learns the service where this one doesn't, or says that none does", async () => {
        answers(answer([workload([replica("a"), replica("b")])], { learned_by: "0f3a" }));
        page();
        expect((await screen.findByText(t.elsewhere, { exact: false })).textContent).toContain("0f3a.");
        cleanup();
        answers(answer([workload([replica("a"), replica("b")])], { learned_by: "" }));
        page();
        await screen.findByText(t.nowhere);
        cleanup();
        answers(answer([workload([replica("a"), replica("b")])]));
        page();
        await screen.findByText(t.told);
        expect(screen.queryByText(t.elsewhere, { exact: false })).toBeNull();
        expect(screen.queryByText(t.nowhere)).toBeNull();
    });
    it("says that orders are dry runs outside of mode block, and that no responder is there", async () => {
        answers(answer([workload([replica("a"), replica("b")])], { orders_mode: "act", responder: null }));
        page();
        await screen.findByText(t.actsOnlyInBlock);
        expect(screen.getByText(t.responder.none)).toBeTruthy();
        expect(screen.queryByText(t.budget)).toBeNull();
    });
    it("takes no answer for one that isn't", async () => {
        answers({ workloads: [], cases: [] });
        page();
        await waitFor(() => expect(screen.getByRole("alert").textContent).toContain(texts.failures.broken));
    });
});

describe("an alert of a pod", () => {
    const alert = (name: string, part: string) => ({ id: "", service: "shop", findings: [{ part, location: "", name, rule: "", observed: "", expected: "", p: 0 }] }) as unknown as Alert;
    it("leads to the pod, also without an id; others to themselves", () => {
        expect(placeOf(alert("prod/b", "pod"))).toBe("#/services/shop/pods?pod=prod%2Fb");
        expect(placeOf({ ...alert("prod/b", "client"), id: "5f3a" })).toBe("#/alerts/5f3a");
    });
    it("names are split at the first slash, whatever they hold", () => {
        expect(split("prod/a/b")).toEqual({ namespace: "prod", pod: "a/b" });
        expect(split("none")).toEqual({ namespace: "", pod: "none" });
    });
});
