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
