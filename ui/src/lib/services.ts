// SPDX-License-Identifier: Apache-2.0
// All services. The first time they are asked for while the page is still being made and who is logged in is being asked: the overview
// doesn't wait for the one after the other.
import { pages, type Ask, type ServiceSummary } from "./api";

/** As many as guardd has at most, so in one answer unless they are long. */
const MOST = 1024;
const PAGES = 10;
/** What came longer ago says little of now. */
const FRESH_MS = 5000;

let early: { at: number; services: Promise<ServiceSummary[] | null> } | null = null;

const ask = (how: Ask = {}) => pages<ServiceSummary>("/services", "services", PAGES, MOST, how);

export function askEarly(): void {
    early = { at: Date.now(), services: ask({ early: true }).catch(() => null) };
}

/** What was answered to whoever was logged in is nobody else's. */
export function forgetEarly(): void {
    early = null;
}

export async function allServices(): Promise<ServiceSummary[]> {
    const asked = early;
    early = null;
    const found = asked && Date.now() - asked.at < FRESH_MS ? await asked.services : null;
    return found ?? ask();
}
