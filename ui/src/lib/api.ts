// SPDX-License-Identifier: Apache-2.0
// guardd's API as a page asks it: with the session's cookie, a header that says so, and a limit of time. Whatever comes back that
// isn't what the API says becomes one kind of error, with a text for people.
import type { components } from "../api";
import { texts } from "../texts";

export type Schemas = components["schemas"];
export type Service = Schemas["Service"];
export type ServiceSummary = Schemas["ServiceSummary"];
export type Alert = Schemas["Alert"];
export type Session = Schemas["Session"];

export type Failure = "offline" | "login" | "forbidden" | "missing" | "busy" | "refused" | "broken";

export class ApiError extends Error {
    constructor(
        readonly failure: Failure,
        readonly status: number,
        message: string,
        readonly field = "",
    ) {
        super(message);
    }
}

/** What failed, for people. */
export function failureText(error: unknown): string {
    return error instanceof ApiError ? `${texts.failures[error.failure]} ${error.message}` : texts.failures.broken;
}

export interface Ask {
    method?: string;
    body?: unknown;
    headers?: Record<string, string>;
    /** What comes back as text, with its tag. */
    text?: boolean;
    /** Asked before it is known who is logged in: nobody is told that nobody is. */
    early?: boolean;
}

export interface Answer<T> {
    value: T;
    etag: string;
}

const ROOT = "/api/v1";
const LIMIT_MS = 30_000;

let onLogin: () => void = () => {};

/** What is called when the session is over. */
export function whenLoginIsNeeded(call: () => void): void {
    onLogin = call;
}

function failureOf(status: number): Failure {
    if (status === 401) return "login";
    if (status === 403) return "forbidden";
    if (status === 404) return "missing";
    if (status === 429 || status === 502 || status === 503 || status === 504) return "busy";
    return status >= 500 ? "broken" : "refused";
}

async function problemOf(response: Response): Promise<ApiError> {
    let detail = "";
    let field = "";
    try {
        const problem = (await response.json()) as { detail?: unknown; title?: unknown; field?: unknown };
        detail = String(problem.detail ?? problem.title ?? "");
        field = String(problem.field ?? "");
    } catch {
        detail = "";
    }
    return new ApiError(failureOf(response.status), response.status, detail, field);
}

export async function exchange<T>(path: string, ask: Ask = {}): Promise<Answer<T>> {
    const headers: Record<string, string> = { "X-Guard-Console": "1", ...ask.headers };
    const given = typeof ask.body === "string" ? ask.body : ask.body === undefined ? undefined : JSON.stringify(ask.body);
    if (given !== undefined && !headers["Content-Type"]) headers["Content-Type"] = "application/json";
    let response: Response;
    try {
        response = await fetch(ROOT + path, {
            method: ask.method ?? "GET",
            headers,
            body: given,
            credentials: "same-origin",
            cache: "no-store",
            redirect: "error",
            signal: AbortSignal.timeout(LIMIT_MS),
        });
    } catch {
        throw new ApiError("offline", 0, "");
    }
    if (!response.ok) {
        const error = await problemOf(response);
        if (error.failure === "login" && !headers.Authorization && !ask.early) onLogin();
        throw error;
    }
    try {
        const value = ask.text ? await response.text() : await response.json();
        return { value: value as T, etag: response.headers.get("ETag") ?? "" };
    } catch {
        throw new ApiError("broken", response.status, "");
    }
}

export async function get<T>(path: string): Promise<T> {
    return (await exchange<T>(path)).value;
}

/** All of a list that comes in pages, at most so many pages. */
export async function pages<T>(path: string, member: string, most: number, limit = 100, ask: Ask = {}): Promise<T[]> {
    const all: T[] = [];
    let cursor = "";
    for (let i = 0; i < most; i++) {
        const sign = path.includes("?") ? "&" : "?";
        const page = (await exchange<Record<string, unknown>>(`${path}${sign}limit=${limit}${cursor}`, ask)).value;
        const list = page[member];
        if (!Array.isArray(list)) throw new ApiError("broken", 200, "");
        all.push(...(list as T[]));
        if (typeof page.next !== "string") break;
        cursor = `&cursor=${encodeURIComponent(page.next)}`;
    }
    return all;
}

export function segment(text: string): string {
    return encodeURIComponent(text);
}
