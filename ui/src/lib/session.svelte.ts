// SPDX-License-Identifier: Apache-2.0
// Who is logged in here. The secret of the session is a cookie that this page can't read.
import { forgetList } from "./alert_list.svelte";
import { ApiError, exchange, get, whenLoginIsNeeded, type Session } from "./api";
import { forgetEarly } from "./services";
import { texts } from "../texts";

export const session = $state<{ who: Session | null; state: "asking" | "out" | "in"; note: string; offered: string }>({
    who: null,
    state: "asking",
    note: "",
    /** The code of an address that was opened while somebody was logged in. */
    offered: "",
});

function leave(note: string): void {
    session.who = null;
    session.state = "out";
    session.note = note;
    forgetList();
    forgetEarly();
}

whenLoginIsNeeded(() => leave(session.state === "in" ? texts.login.over : ""));

export function may(right: "read" | "evidence" | "operate" | "administer"): boolean {
    return session.who?.rights.includes(right) ?? false;
}

/** Whether all services are theirs: what is of no service is for them alone. */
export function unbound(): boolean {
    return session.who !== null && session.who.services.length === 0;
}

function enter(who: Session): void {
    session.who = who;
    session.state = "in";
    session.note = "";
}

function takeCode(): string {
    const code = /^#login=([0-9a-f]{64})$/.exec(location.hash)?.[1] ?? "";
    if (code) location.replace("#/"); // it is good once, and belongs into no history
    return code;
}

export async function loginByCode(code: string): Promise<void> {
    session.offered = "";
    await login(`Login ${code}`, texts.login.codeOver);
}

// Pasted into an open tab. Nobody becomes somebody else by an address of others unless they say so.
window.addEventListener("hashchange", () => {
    const code = takeCode();
    if (!code) return;
    if (session.state === "in") session.offered = code;
    else void loginByCode(code);
});

export async function resume(): Promise<void> {
    const code = takeCode();
    if (code) {
        await loginByCode(code);
        return;
    }
    try {
        const who = await get<Session>("/session");
        if (who.seconds > 0 || who.role === "local") enter(who);
        else await login("", texts.login.failed); // by a certificate: it becomes a session
    } catch (error) {
        leave(error instanceof ApiError && error.failure !== "login" ? texts.failures[error.failure] : "");
    }
}

async function login(authorization: string, refused: string): Promise<void> {
    try {
        const headers: Record<string, string> = authorization ? { Authorization: authorization } : {};
        enter((await exchange<Session>("/session", { method: "POST", headers })).value);
    } catch (error) {
        const failure = error instanceof ApiError ? error.failure : "broken";
        leave(failure === "login" ? refused : texts.failures[failure]);
    }
}

export async function loginByToken(token: string): Promise<void> {
    await login(`Bearer ${token.trim()}`, texts.login.refused);
}

export async function logout(): Promise<void> {
    try {
        await exchange("/session", { method: "DELETE" });
        leave(texts.login.left);
    } catch (error) {
        if (!(error instanceof ApiError) || error.failure !== "login") throw error;
    }
}
