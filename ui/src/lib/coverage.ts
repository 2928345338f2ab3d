// SPDX-License-Identifier: Apache-2.0
// What isn't protected comes first: where requests may get by the gate, then where everything passes by a person's wish.
import type { ServiceSummary } from "./api";
import { count } from "./times";
import { texts } from "../texts";

/** Canaries proved that requests may reach it without a gate, whatever its mode is. */
export const outside = (service: ServiceSummary): boolean => service.path?.not_in_path === true;
export const open = (service: ServiceSummary): boolean => outside(service) || service.bypassed || service.mode === "observe";
export const trouble = (service: ServiceSummary): boolean => service.guardian_error !== "" || service.review_error !== "";
export const misused = (service: ServiceSummary): boolean => service.pods.told > 0;

function rank(service: ServiceSummary): number {
    if (trouble(service) || service.pods.replace > 0) return 0;
    if (outside(service)) return 1;
    if (service.bypassed) return 2;
    if (service.mode === "observe") return 3;
    return service.ready ? 5 : 4;
}

export function byCoverage(a: ServiceSummary, b: ServiceSummary): number {
    return rank(a) - rank(b) || (a.service < b.service ? -1 : a.service > b.service ? 1 : 0);
}

/** "1 in 10,000"; rounded to the side that promises less. */
export function oneIn(share: number): string {
    return `${texts.falseBlocks.oneIn} ${count(Math.max(1, Math.floor(1 / share + 1e-9)))}`;
}

export function falseBlocks({ false_blocks: one }: Pick<ServiceSummary, "false_blocks">): { text: string; hint: string; proved: boolean } {
    const proved = one.expected <= one.budget * (1 + 1e-9);
    const hint = `${texts.falseBlocks.budget} ${oneIn(one.budget)}. ${proved ? texts.falseBlocks.fits : texts.falseBlocks.short}`;
    return { text: one.proved >= 1 ? texts.falseBlocks.nothing : `≤ ${oneIn(one.proved)}`, hint, proved };
}
