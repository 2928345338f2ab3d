// SPDX-License-Identifier: Apache-2.0
// Blocking a client by hand: what guardd knows of it is told before.
import type { Action } from "./actions.svelte";
import type { Schemas } from "./api";
import { quoted } from "./shown";
import { count } from "./times";
import { texts } from "../texts";

export type Blocked = Schemas["Blocked"];

const MINUTE = 60;

/** How long, as people and the command line say it. */
export const TIMES = { "15m": 15 * MINUTE, "1h": 60 * MINUTE, "8h": 480 * MINUTE, "1d": 1440 * MINUTE, "7d": 10_080 * MINUTE } as const;
export type Time = keyof typeof TIMES;

const t = texts.blocks;

/** Whom it would hit, of a dry run. */
export function saysOf(dry: Blocked, time: Time): string {
    const { lately } = dry;
    const known = lately.known
        ? `${t.lately} ${count(lately.requests_day)} ${t.today}, ${count(lately.requests)} ${t.now}, ${t.of} ${count(lately.clients)} ${t.clients}.`
        : t.unknown;
    return `${dry.client} ${t.says} ${t.times[time]}. ${known}${lately.shared ? ` ${t.shared}` : ""}`;
}

export function blockAction(service: string, dry: Blocked, time: Time, done?: () => void): Action {
    return {
        title: `${t.block}: ${dry.client}`,
        says: saysOf(dry, time),
        undo: t.undo,
        method: "POST",
        path: `/services/${encodeURIComponent(service)}/blocks`,
        body: (reason) => ({ client: dry.client, seconds: TIMES[time], reason }),
        reason: "needed",
        danger: true,
        cli: (reason) => `guard clients block ${quoted(service)} ${quoted(dry.client)} --for ${time} --reason ${quoted(reason)}`,
        done,
    };
}

export function unblockAction(service: string, client: string, done?: () => void): Action {
    return {
        title: `${t.end}: ${client}`,
        says: t.endSays,
        undo: t.endUndo,
        method: "DELETE",
        path: `/services/${encodeURIComponent(service)}/blocks?client=${encodeURIComponent(client)}`,
        reasonInPath: true,
        reason: "asked",
        cli: (reason) => `guard clients unblock ${quoted(service)} ${quoted(client)}${reason ? ` --reason ${quoted(reason)}` : ""}`,
        done,
    };
}
