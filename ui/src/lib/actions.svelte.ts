// SPDX-License-Identifier: Apache-2.0
// What people change: each action says what it will do, how it is taken back, and how the API and the command line are asked for the
// same, and is done after a yes in a dialog.
import { exchange } from "./api";

export interface Action {
    title: string;
    /** What it will do, for who has to say yes. */
    says: string;
    undo: string;
    method: "PUT" | "POST" | "DELETE";
    path: string;
    body?: (reason: string) => Record<string, unknown> | undefined;
    /** Where the reason goes when there is no body for it. */
    reasonInPath?: boolean;
    reason: "needed" | "asked" | "none";
    cli: (reason: string) => string;
    danger?: boolean;
    /** Instead of asking with the body above, for documents. */
    send?: (reason: string) => Promise<unknown>;
    done?: (answer: unknown) => void;
}

export const asked = $state<{ action: Action | null }>({ action: null });

export function offer(action: Action): void {
    asked.action = action;
}

export function pathOf(action: Action, reason: string): string {
    return action.reasonInPath && reason ? `${action.path}${action.path.includes("?") ? "&" : "?"}reason=${encodeURIComponent(reason)}` : action.path;
}

export async function carryOut(action: Action, reason: string): Promise<unknown> {
    if (action.send) return action.send(reason);
    const answer = await exchange<unknown>(pathOf(action, reason), { method: action.method, body: action.body?.(reason) });
    action.done?.(answer.value);
    return answer.value;
}
