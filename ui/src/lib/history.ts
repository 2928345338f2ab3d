// SPDX-License-Identifier: Apache-2.0
// Traffic over time as lines: steps without an exchange are told by nobody, and count nothing.
import type { Schemas } from "./api";

export type History = Schemas["History"];
type Point = Schemas["HistoryPoint"];

const HOUR = 3_600_000;
export const ranges = { hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR, quarter: 90 * 24 * HOUR } as const;
export type Range = keyof typeof ranges;

export interface Drawn {
    /** Seconds, the begin of each step. */
    times: number[];
    pass: number[];
    alert: number[];
    block: number[];
    errors: number[];
    p50: (number | null)[];
    p95: (number | null)[];
}

export function exchangesOf(point: Point): number {
    return point.pass + point.alert + point.block;
}

export function drawn(history: History): Drawn {
    const zeros = () => new Array<number>(history.steps).fill(0);
    const gaps = () => new Array<number | null>(history.steps).fill(null);
    const all: Drawn = { times: zeros().map((_, i) => history.since_ms / 1000 + i * history.step_s), pass: zeros(), alert: zeros(), block: zeros(), errors: zeros(), p50: gaps(), p95: gaps() };
    for (const point of history.points) {
        const at = Math.round((point.at_ms - history.since_ms) / 1000 / history.step_s);
        if (!(at >= 0 && at < history.steps)) continue;
        all.pass[at] = point.pass;
        all.alert[at] = point.alert;
        all.block[at] = point.block;
        all.errors[at] = point.responses["5xx"];
        all.p50[at] = point.p50_s === null ? null : point.p50_s * 1000;
        all.p95[at] = point.p95_s === null ? null : point.p95_s * 1000;
    }
    return all;
}

export interface Sums {
    exchanges: number;
    alert: number;
    block: number;
    errors: number;
    /** Milliseconds, of the step where it was most; null: no time is known. */
    slowest: number | null;
}

export function sums(points: Point[]): Sums {
    const all: Sums = { exchanges: 0, alert: 0, block: 0, errors: 0, slowest: null };
    for (const point of points) {
        all.exchanges += exchangesOf(point);
        all.alert += point.alert;
        all.block += point.block;
        all.errors += point.responses["5xx"];
        if (point.p95_s !== null) all.slowest = Math.max(all.slowest ?? 0, point.p95_s * 1000);
    }
    return all;
}
