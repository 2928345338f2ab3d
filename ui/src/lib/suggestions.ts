// SPDX-License-Identifier: Apache-2.0
// What looks like a release: new things that several clients use and that read like no attack, with when an alert told of them first.
import type { Alert, Schemas } from "./api";

type Waiting = Schemas["Waiting"];

export interface Suggestion {
    item: Waiting;
    /** Unix time in milliseconds; 0: no alert that was read tells of it. */
    since_ms: number;
}

/** Fewer may be one person. As many as make a thing normal by themselves. */
export const CLIENTS_LEAST = 4;
/** The kinds of things that a release brings; new characters of a value are none of them. */
const RULES: Record<string, string> = { name: "name", path: "path", method: "method", "content-type": "content-type" };

function tells(alert: Alert, item: Waiting): boolean {
    if (item.kind !== "path" && alert.template !== item.path) return false;
    return alert.findings.some((finding) => finding.rule === RULES[item.kind] && (item.kind !== "name" || (finding.name === item.name && finding.location === item.in)));
}

export function suggestionsOf(waiting: Waiting[], alerts: Alert[]): Suggestion[] {
    return waiting
        .filter((item) => item.kind in RULES && item.likeness.length === 0 && item.clients >= CLIENTS_LEAST)
        .map((item) => {
            // A path's alert knows its shape alone: which of several new ones it was can't be told.
            const told = item.kind === "path" ? [] : alerts.filter((alert) => tells(alert, item));
            return { item, since_ms: told.length > 0 ? Math.min(...told.map((alert) => alert.since_ms ?? alert.first_ms)) : 0 };
        })
        .sort((a, b) => b.item.clients - a.item.clients);
}
