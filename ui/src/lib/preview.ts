// SPDX-License-Identifier: Apache-2.0
// What other settings would have done, in sentences that say no more than is known.
import type { Schemas } from "./api";
import { count, time } from "./times";
import { texts } from "../texts";

export type Preview = Schemas["Preview"];
const t = texts.whatif;

function between(least: number, most: number): string {
    return least === most ? count(most) : `${count(least)} – ${count(most)}`;
}

export function wouldBlock(preview: Preview): string {
    const { least, most, clients_least, clients_most } = preview.would_block;
    const requests = preview.exchanges ? `${between(least, most)} ${t.of} ${count(Math.max(preview.exchanges.count, most))}` : between(least, most);
    const clients = preview.clients === null ? between(clients_least, clients_most) : `${between(clients_least, clients_most)} ${t.of} ${count(Math.max(preview.clients, clients_most))}`;
    return `${requests} ${t.requests}, ${clients}${preview.more_clients ? ` ${t.orMore}` : ""} ${t.clients}`;
}

export function didBlock(preview: Preview): string {
    return `${count(preview.blocked.requests)} ${t.requests}, ${count(preview.blocked.clients)} ${t.clients}`;
}

/** False blocks a day, with two digits that count. */
export function perDay(budget: number): string {
    return budget === 0 ? "0" : new Intl.NumberFormat("en", { maximumSignificantDigits: 2 }).format(budget);
}

export function exchangesOf(preview: Preview): string {
    return preview.exchanges ? `${count(preview.exchanges.count)} (${time(preview.exchanges.from_ms)} – ${time(preview.exchanges.to_ms)})` : t.exchangesUnknown;
}

/** A budget as people type it; NaN for none. */
export function alphaOf(text: string): number {
    const alpha = /^[0-9]*\.?[0-9]+(e-?[0-9]+)?$/i.test(text.trim()) ? Number(text) : NaN;
    return alpha >= 1e-9 && alpha <= 0.1 ? alpha : NaN;
}
