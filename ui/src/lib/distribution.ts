// SPDX-License-Identifier: Apache-2.0
// How a number is spread, as a drawing and in words. What a server says is drawn as far as it makes sense, and never out of its frame.
import type { Schemas } from "./api";
import { count } from "./times";
import { texts } from "../texts";

export type Distribution = Schemas["Distribution"];
export type Bucket = Schemas["DistributionBucket"];

const t = texts.distribution;
const COLUMN = 6;
const GAP = 4;
export const HEIGHT = 40;

export interface Column {
    x: number;
    width: number;
    height: number;
    /** Outside of a limit. */
    beyond: boolean;
}

/** The buckets side by side; a blank where none were between two. Limits: where they are crossed. */
export interface Drawing {
    width: number;
    columns: Column[];
    limits: number[];
}

export function isBeyond(distribution: Distribution, bucket: Bucket): boolean {
    const { lower, upper } = distribution;
    return (lower !== null && bucket.upper < lower.at) || (upper !== null && bucket.lower > upper.at);
}

export function draw(distribution: Distribution): Drawing {
    const { buckets, lower, upper } = distribution;
    const most = Math.max(1, ...buckets.map((bucket) => bucket.exchanges));
    const columns: Column[] = [];
    const limits: number[] = [];
    let x = 1;
    let before: Bucket | undefined;
    for (const bucket of buckets) {
        const crossed = before && ((lower !== null && before.upper < lower.at && bucket.upper >= lower.at) || (upper !== null && before.lower <= upper.at && bucket.lower > upper.at));
        if (before && (crossed || bucket.lower !== before.upper + 1)) x += GAP;
        if (crossed) limits.push(x - GAP / 2);
        // Whatever isn't empty is seen.
        const height = Math.max(2, Math.round((Math.max(0, bucket.exchanges) / most) * (HEIGHT - 2)));
        columns.push({ x, width: COLUMN - 1, height, beyond: isBeyond(distribution, bucket) });
        x += COLUMN;
        before = bucket;
    }
    // With nothing beyond it a limit stands behind the last.
    if (upper !== null && before && before.lower <= upper.at) limits.push(x + 1);
    return { width: x + 3, columns, limits };
}

export function range(bucket: { lower: number; upper: number }): string {
    return bucket.lower === bucket.upper ? count(bucket.lower) : `${count(bucket.lower)}–${count(bucket.upper)}`;
}

/** Eight stands for eight or more. */
export function clients(bucket: Bucket): string {
    return `${bucket.clients >= 8 ? `8 ${t.orMore}` : count(bucket.clients)} ${bucket.clients === 1 ? t.client : t.clients}`;
}

export function bucketWords(distribution: Distribution, bucket: Bucket): string {
    const beyond = isBeyond(distribution, bucket) ? `, ${t.beyond}` : "";
    return `${range(bucket)} ${t.units[distribution.unit]}: ${count(bucket.exchanges)} ${t.of} ${count(distribution.exchanges)} ${t.exchanges}, ${clients(bucket)}${beyond}`;
}

export function limitWords(distribution: Distribution): string {
    const { lower, upper } = distribution;
    if (lower === null && upper === null) return t.noLimit;
    const unit = t.units[distribution.unit];
    const at = lower !== null && upper !== null ? `${count(lower.at)}–${count(upper.at)}` : upper !== null ? `${t.to} ${count(upper.at)}` : `${t.from} ${count(lower!.at)}`;
    const beyond = (lower?.beyond ?? 0) + (upper?.beyond ?? 0);
    const armed = lower?.armed || upper?.armed;
    return `${t.usual} ${at} ${unit}${armed ? "" : `, ${t.unarmed}`}; ${beyond > 0 ? `${count(beyond)} ${t.seenBeyond}` : t.nothingBeyond}`;
}

export function summary(distribution: Distribution): string {
    return `${t.half} ${count(distribution.p50)}, ${t.most} ${count(distribution.p99)} ${t.units[distribution.unit]}`;
}
