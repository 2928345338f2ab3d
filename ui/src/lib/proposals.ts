// SPDX-License-Identifier: Apache-2.0
// From an exploit to a patch: what is asked of guardd, and what a proposal comes to.
import { exchange, segment, type Alert, type Schemas } from "./api";
import { quoted } from "./shown";

export type Proposal = Schemas["Proposal"];

/** Bytes of an exploit, and of benign requests, that guardd takes. */
export const TEXT_MAX = 204_799;

export interface Wanted {
    exploit: string;
    benign: string;
    id: string;
    title: string;
}

export function tooLong(wanted: Wanted): boolean {
    const bytes = (text: string) => new TextEncoder().encode(text).length;
    return bytes(wanted.exploit) > TEXT_MAX || bytes(wanted.benign) > TEXT_MAX;
}

export async function propose(service: string, wanted: Wanted): Promise<Proposal> {
    const body = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value.trim() !== ""));
    return (await exchange<Proposal>(`/services/${segment(service)}/proposals`, { method: "POST", body })).value;
}

/** The proposal in the mode that is wanted: the document says shadow on a line of its own. */
export function inMode(document: string, mode: "shadow" | "enforce"): string {
    return document.replace(/^mode: shadow$/m, `mode: ${mode}`);
}

/** Why it shouldn't be enforced at once; "" when nothing speaks against it. */
export function against(proposal: Proposal): "" | "benign" | "exploit" | "wide" | "unmeasured" {
    if (!proposal.enforceable) return "benign";
    if ((proposal.exploit?.hits ?? 0) < (proposal.exploit?.of ?? 0)) return "exploit";
    if (proposal.narrowness === "names" || proposal.narrowness === "endpoint") return "wide";
    return proposal.benign ? "" : "unmeasured";
}

/** What of an alert's request is known, as a request to be completed: values aren't kept. */
export function requestOf(alert: Alert): string {
    const path = alert.template.startsWith("/") ? alert.template : "/";
    return `${alert.method || "GET"} ${path} HTTP/1.1\r\nHost: ${alert.service}\r\n\r\n`;
}

export function commandOf(service: string, wanted: Wanted): string {
    const more = [wanted.id && ` --id ${quoted(wanted.id)}`, wanted.title && ` --title ${quoted(wanted.title)}`].join("");
    return `guard patch from EXPLOIT --service ${quoted(service)}${more}${wanted.benign.trim() ? " --traffic BENIGN" : ""} --add`;
}
