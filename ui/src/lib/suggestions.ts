// SPDX-License-Identifier: Apache-2.0
// What looks like a release: new things that several clients use and that read like no attack. Who uses them and since when is what
// guardd learned, not what alerts tell: those are bounded, and tell of what deviates alone.
import type { Schemas } from "./api";
import { count } from "./times";
import { texts } from "../texts";

type Waiting = Schemas["Waiting"];

/** Fewer may be one person. As many as make a thing normal by themselves. */
export const CLIENTS_LEAST = 4;
/** The kinds of things that a release brings; new characters of a value are none of them. */
const KINDS = new Set(["name", "path", "method", "content-type"]);
/** Of others than these guardd counts no more than eight clients. */
const COUNTED = new Set(["name", "method"]);
const CLIENTS_MOST = 8;

export function suggestionsOf(waiting: Waiting[]): Waiting[] {
    return waiting.filter((item) => KINDS.has(item.kind) && item.likeness.length === 0 && item.clients >= CLIENTS_LEAST).sort((a, b) => b.clients - a.clients);
}

/** "14", "8 or more" where no more are counted. */
export function clientsOf(item: Waiting): string {
    return item.clients >= CLIENTS_MOST && !COUNTED.has(item.kind) ? `${count(item.clients)} ${texts.review.orMore}` : count(item.clients);
}

/** Whether guardd keeps when it was first seen. */
export function isDated(item: Waiting): boolean {
    return KINDS.has(item.kind);
}
