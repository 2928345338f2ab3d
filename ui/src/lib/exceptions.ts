// SPDX-License-Identifier: Apache-2.0
// An exception out of an alert: what a finding says of itself becomes the scope, part by part, and as little as possible is let pass.
import type { Alert, Schemas } from "./api";
import { quoted } from "./shown";

export type Finding = Schemas["Finding"];
export type Member = "endpoints" | "methods" | "in" | "names" | "rules" | "patches" | "clients";

export interface Part {
    member: Member;
    value: string;
    on: boolean;
}

const PLACES = ["path", "query", "header", "cookie", "form", "json", "multipart", "body", "client", "graphql", "protobuf", "websocket"];
const OPTIONS: Record<Member, string> = { endpoints: "endpoint", methods: "method", in: "in", names: "name", rules: "rule", patches: "patch", clients: "client" };
const DAY_MS = 86_400_000;

/** At most so many days, as the gate holds exceptions to. */
export const DAYS_MAX = 366;

/** What the scope can be made of. Hits of patches are covered by their patch alone, verdicts on clients only where they are named. */
export function partsOf(alert: Alert, finding: Finding): Part[] {
    const parts: Part[] = [];
    const add = (member: Member, value: string | undefined, on = true) => {
        if (value) parts.push({ member, value, on });
    };
    const ofClient = finding.rule === "client-verdict";
    if (alert.template.startsWith("/")) add("endpoints", alert.template, !ofClient);
    add("methods", alert.method, false);
    if (finding.patch) {
        add("patches", finding.patch);
    } else {
        if (!ofClient && PLACES.includes(finding.location)) add("in", finding.location);
        if (!ofClient) add("names", finding.name);
        add("rules", finding.rule);
    }
    if (/^[0-9A-Fa-f.:]+$/.test(alert.client)) add("clients", alert.client, ofClient);
    return parts;
}

/** Why the finding can't be covered at all; "" when it can. */
export function whyNot(finding: Finding): "" | "notices" | "shadow" | "unseen" {
    if (finding.rule === "patch-expiry" || finding.rule === "exception-expiry") return "notices";
    if (finding.rule === "patch-unseen") return "unseen";
    return finding.shadow ? "shadow" : "";
}

export function scopeOf(parts: Part[]): Partial<Record<Member, string[]>> {
    const scope: Partial<Record<Member, string[]>> = {};
    for (const part of parts) if (part.on) (scope[part.member] ??= []).push(part.value);
    return scope;
}

/** A method or a place alone is nearly everything: guardd refuses such a scope. */
export function saysEnough(parts: Part[]): boolean {
    return parts.some((part) => part.on && part.member !== "methods" && part.member !== "in");
}

export function expiryOf(days: number, now = Date.now()): string {
    return new Date(now + days * DAY_MS).toISOString();
}

export function goodDays(days: number): boolean {
    return Number.isInteger(days) && days >= 1 && days <= DAYS_MAX;
}

export function goodId(id: string): boolean {
    return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(id);
}

/** A name for it that nobody has to make up: of the alert it came from. */
export function idOf(alert: Alert): string {
    return `FP-${alert.id.replace(/[^A-Za-z0-9]/g, "").slice(0, 12) || "1"}`;
}

export function commandOf(service: string, id: string, days: number, parts: Part[], reason: string): string {
    const scope = parts.filter((part) => part.on).map((part) => ` --${OPTIONS[part.member]} ${quoted(part.value)}`);
    return `guard exception add --service ${quoted(service)} --id ${quoted(id)} --days ${days}${scope.join("")} --reason ${quoted(reason)}`;
}
