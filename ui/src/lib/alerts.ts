// SPDX-License-Identifier: Apache-2.0
// Counting alerts by time. A line stands for as many as its count says.
import type { Alert } from "./api";

const HOUR = 3_600_000;

export function dayAgo(now = Date.now()): number {
    return Math.floor((now - 24 * HOUR) / HOUR) * HOUR;
}

export interface Hours {
    total: number;
    hours: number[];
}

export function byHour(alerts: Alert[], now = Date.now()): { total: number; of: Map<string, Hours> } {
    const begin = dayAgo(now);
    const of = new Map<string, Hours>();
    let total = 0;
    for (const alert of alerts) {
        const hour = Math.floor((alert.last_ms - begin) / HOUR);
        if (!(hour >= 0)) continue;
        const mine = of.get(alert.service) ?? { total: 0, hours: new Array<number>(25).fill(0) };
        mine.total += alert.count;
        mine.hours[Math.min(hour, 24)]! += alert.count;
        total += alert.count;
        of.set(alert.service, mine);
    }
    return { total, of };
}

/** Sixty equal pieces of the time from the first alert to the last one: seconds, and how many. */
export function overTime(alerts: Alert[]): { times: number[]; values: number[] } {
    const begin = Math.min(...alerts.map((alert) => alert.last_ms));
    const end = Math.max(...alerts.map((alert) => alert.last_ms));
    const step = Math.max(1000, (end - begin) / 59);
    const values = new Array<number>(60).fill(0);
    for (const alert of alerts) values[Math.min(59, Math.floor((alert.last_ms - begin) / step))]! += alert.count;
    return { times: values.map((_, i) => (begin + i * step) / 1000), values };
}
