// SPDX-License-Identifier: Apache-2.0
// Alerts of the same service just before and after one.
import { get, segment, type Alert, type Schemas } from "./api";

const SIDE = 5;
/** Whoever attacks makes many: the narrower time is asked for when the wider one has more than a page. */
const WINDOWS_MS = [600_000, 30_000, 1000];

export interface Neighbours {
    before: Alert[];
    after: Alert[];
    /** There were too many right after it to find those that are next to it. */
    crowded: boolean;
}

const ask = (service: string, query: string) => get<Schemas["Alerts"]>(`/alerts?service=${segment(service)}&${query}`);

/** Newest first, as lists are. */
export async function neighbours(alert: Alert): Promise<Neighbours> {
    const at = alert.last_ms;
    const others = (page: Schemas["Alerts"]) => page.alerts.filter((one) => one.id !== alert.id);
    const before = others(await ask(alert.service, `since=${Math.max(0, at - WINDOWS_MS[0]!)}&until=${at}&limit=${SIDE + 1}`)).slice(0, SIDE);
    for (const window of WINDOWS_MS) {
        const page = await ask(alert.service, `since=${at + 1}&until=${at + window}&limit=100`);
        if (page.next === null) return { before, after: others(page).slice(-SIDE), crowded: false };
    }
    return { before, after: [], crowded: true };
}
