// SPDX-License-Identifier: Apache-2.0
// Pods side by side: which replica does what no other does, what is told of it, and what became of that, in the order of time.
import type { Alert, Schemas } from "./api";
import { to } from "./route.svelte";

export type Thing = Schemas["PodThing"];
export type Replica = Schemas["PodReplica"];
export type Case = Schemas["PodCase"];
export type Order = Schemas["PodOrder"];
export type Evidence = Schemas["PodEvidence"];
export type Decision = Schemas["PodDecisions"]["decisions"][number];

/** What the responder's books say of all, and of a workload. */
export type Responder = NonNullable<Schemas["PodResponder"]>;
export type Books = NonNullable<Schemas["PodBooks"]>;
export type Workload = Schemas["PodWorkload"];
export type Pods = Schemas["Pods"];
export type Withdrawal = Schemas["PodWithdrawal"];

/** What sensors tell of, in columns that people compare by. */
export const GROUPS = {
    hard: ["dropped", "memfd", "root"],
    processes: ["exec", "user"],
    files: ["write", "secret"],
    network: ["destination", "listen", "dns"],
    gate: ["outbound", "response", "request"],
} as const;
export type Group = keyof typeof GROUPS;
export const GROUP_NAMES = Object.keys(GROUPS) as Group[];

/** The gate tells what it decided, so its kinds aren't there before it finds something: not seen by a sensor of the pod isn't unseen. */
const SENSED: Group[] = ["hard", "processes", "files", "network"];

export interface Cell {
    /** Things of this group that only this replica did, of those that are listed. */
    alone: number;
    seen: "all" | "partly" | "nothing";
}

export interface Row {
    replica: Replica;
    /** NAMESPACE/POD */
    name: string;
    told: Case["decision"] | null;
    cells: Record<Group, Cell>;
    debugged: boolean;
}

export function nameOf(of: { namespace: string; pod: string }): string {
    return `${of.namespace}/${of.pod}`;
}

export function split(name: string): { namespace: string; pod: string } {
    const at = name.indexOf("/");
    return { namespace: name.slice(0, Math.max(at, 0)), pod: name.slice(at + 1) };
}

function cellOf(replica: Replica, group: Group): Cell {
    const kinds: readonly string[] = GROUPS[group];
    const blind = kinds.filter((kind) => replica.blind.includes(kind)).length;
    return {
        alone: replica.alone.filter((thing) => kinds.includes(thing.kind)).length,
        seen: !SENSED.includes(group) || blind === 0 ? "all" : blind < kinds.length ? "partly" : "nothing",
    };
}

/** The gravest that was told of the pod: a pod that was to be replaced stays so, whatever is told of it later. */
export function toldOf(cases: Case[], name: string): Case["decision"] | null {
    const words = cases.filter((one) => nameOf(one) === name).map((one) => one.decision);
    return (["replace", "alert", "change"] as const).find((word) => words.includes(word)) ?? null;
}

const GRAVE = { replace: 3, alert: 2, change: 1 };

/** Those that deviate first: what was told, then how much each does alone; then by name. */
export function rowsOf(workload: Workload, pods: Pick<Pods, "cases" | "sessions">): Row[] {
    const rows = workload.replicas.map((replica): Row => {
        const name = nameOf({ namespace: workload.namespace, pod: replica.pod });
        return {
            replica,
            name,
            told: toldOf(pods.cases.filter((one) => one.container === workload.container), name),
            cells: Object.fromEntries(GROUP_NAMES.map((group) => [group, cellOf(replica, group)])) as Record<Group, Cell>,
            debugged: pods.sessions.some((one) => nameOf(one) === name),
        };
    });
    const grave = (row: Row) => (row.told ? GRAVE[row.told] : 0);
    return rows.sort((a, b) => grave(b) - grave(a) || b.replica.alone_count - a.replica.alone_count || (a.name < b.name ? -1 : 1));
}

export type Which = "all" | "deviating" | "unseen";

export function chosen(rows: Row[], which: Which): Row[] {
    if (which === "deviating") return rows.filter((row) => row.told !== null || row.replica.alone_count > 0);
    if (which === "unseen") return rows.filter((row) => GROUP_NAMES.some((group) => row.cells[group].seen !== "all") || row.replica.incomplete > 0);
    return rows;
}

/** The kinds that no sensor of the pod sees, without those that only the gate tells of. */
export function unseenOf(replica: Replica): string[] {
    const gate: readonly string[] = GROUPS.gate;
    return replica.blind.filter((kind) => !gate.includes(kind));
}

export interface Moment {
    time_ms: number;
    what: "door" | "evidence" | "told" | "order" | "step" | "end";
    /** Of strangers, or a word of the API. */
    text: string;
    outcome: string;
    hard: boolean;
}

/** What happened, was told and was done, in the order of time; of one time in the order of cause. door: what the gate said of the request
 *  that opened it. */
export function momentsOf(one: Case, order: Order | null, door: Alert | null = null): Moment[] {
    const rank = { door: 0, evidence: 1, order: 2, told: 3, step: 4, end: 5 };
    const moment = (time_ms: number, what: Moment["what"], text: string, outcome = "", hard = false) => ({ time_ms, what, text, outcome, hard });
    const moments = one.evidence.map((seen) => moment(seen.seen_ms, seen.kind === "request" ? "door" : "evidence", seen.text, "", seen.hard));
    if (door) moments.push(moment(door.time_ms, "door", door.explanation));
    moments.push(moment(one.told_ms, "told", one.decision));
    if (order) {
        moments.push(moment(order.decided_ms, "order", order.id));
        for (const step of order.steps) moments.push(moment(step.time_ms, "step", step.detail, `${step.step} ${step.outcome}`));
        if (order.end) moments.push(moment(order.end.time_ms, "end", order.end.detail, order.end.end));
    }
    // Reports know whole seconds: no step was before its order, or before the step that stands above it.
    const least = order && order.id === one.order ? Math.max(order.decided_ms, one.told_ms) : 0;
    const when = (moment: Moment) => (rank[moment.what] < rank.step ? moment.time_ms : Math.max(moment.time_ms, least));
    return moments.sort((a, b) => when(a) - when(b) || rank[a.what] - rank[b.what]);
}

/** Where the responder's captures of an order are, as far as a step says that it made them. */
export function captureOf(order: Order): string {
    return order.steps.filter((step) => step.step === "capture" && step.outcome === "done").at(-1)?.detail ?? "";
}

export function isOfPod(alert: Alert): boolean {
    return alert.findings[0]?.part === "pod" && alert.findings[0].name.includes("/");
}

/** An alert of a pod leads to the pod: it needn't be of a request that has an id. */
export function placeOf(alert: Alert): string {
    return isOfPod(alert) ? to(["services", alert.service, "pods"], { pod: alert.findings[0]!.name }) : to(["alerts", alert.id]);
}
