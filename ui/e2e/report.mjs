// SPDX-License-Identifier: Apache-2.0
// What a script that fails tells for who looks for the cause: what the page shows and was answered, and what guardd and the gate say at
// that time. Of each so much that the end of a log holds it.
import { gatesTell } from "./gate.mjs";

const { CONSOLE, OPERATOR, STATE } = process.env;
const LIMIT_MS = 5000;
const ANSWERS_MOST = 12;
const LINE_MOST = 900;

/** In one line of what a terminal shows as it is: attackers have a say in it. */
function plain(text, most = LINE_MOST) {
    const one = String(text).replace(/\s+/g, " ").replace(/[^\x20-\x7e]/gu, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);
    return one.length > most ? `${one.slice(0, most)}…` : one;
}

function within(promise) {
    return Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Error(`not within ${LIMIT_MS} ms`)), LIMIT_MS))]);
}

/** As an operator, without the page: that may be what is broken. */
async function ask(path) {
    const answer = await within(fetch(`${CONSOLE}/api/v1${path}`, { headers: { authorization: `Bearer ${OPERATOR}` } }));
    if (!answer.ok) throw new Error(`${answer.status}`);
    return within(answer.json());
}

const clock = (ms) => new Date(ms).toISOString().slice(11, 23);

const PARTS = [
    ["services", async () => (await ask("/services?limit=5")).services.map((one) => `${one.service}: ${one.mode}, generation ${one.generation}, ${one.exchanges} exchanges, ready ${one.ready}, budget ${one.false_blocks.budget}`)],
    ["gate", async () => (STATE ? gatesTell("demo").map((one) => `mode ${one.mode}, generations ${one.generation_oldest} to ${one.generation_newest}, alerts ${one.counts.alerts}, held back ${one.counts.alerts_suppressed}`) : [])],
    ["alert", async () => (await ask("/alerts?limit=8")).alerts.map((one) => `${clock(one.last_ms)} ${one.service} generation ${one.generation} ${one.verdict}/${one.action} x${one.count} ${one.client} ${one.method} ${one.template} score ${one.score}: ${one.findings.slice(0, 3).map((finding) => `${finding.rule} ${finding.name} ${finding.p}`).join(", ")}`)],
    ["review", async () => (await ask("/services/demo/review?limit=100")).items.slice(0, 10).map((one) => `${one.state} ${one.kind} ${one.name}: ${one.clients ?? "?"} clients, lacks ${one.lacks ?? "nothing"}`)],
];

async function tellPart([name, lines]) {
    try {
        for (const line of await lines()) console.log(`${name}: ${plain(line, 250)}`);
    } catch (error) {
        console.log(`${name}: not told: ${plain(error)}`);
    }
}

/** The last answers of the API to the page. */
function listen(page) {
    const answers = [];
    const keep = (request, how) => {
        if (!request.url().includes("/api/")) return;
        const { pathname, search } = new URL(request.url());
        const asked = `${request.method()} ${plain(pathname + search, 120)}: ${how}`;
        const last = answers.at(-1);
        if (last?.asked === asked) last.times++;
        else answers.push({ asked, times: 1 });
        answers.at(-1).at = clock(Date.now());
        if (answers.length > ANSWERS_MOST) answers.shift();
    };
    page.on("response", (answer) => keep(answer.request(), answer.status()));
    page.on("requestfailed", (request) => keep(request, request.failure()?.errorText));
    return answers;
}

async function tell(page, faults, answers) {
    for (const { at, asked, times } of answers) console.log(`answered: ${at} ${asked}${times > 1 ? ` (${times} times)` : ""}`);
    for (const part of PARTS) await tellPart(part);
    console.log(`faults: ${plain(faults.join("; "))}`);
    const text = await within(page.evaluate(() => (document.querySelector("dialog[open]") ?? document.querySelector("#content") ?? document.body).innerText)).catch(String);
    console.log(`at ${plain(page.url(), 200)}, which shows: ${plain(text)}`);
}

/** The first thing that is wrong ends the script, as it would without, and is the last that is told. */
export function reportFailure(page, faults) {
    const answers = listen(page);
    process.once("uncaughtException", async (error) => {
        await tell(page, faults, answers).catch((trouble) => console.log(`nothing more is told: ${plain(trouble)}`));
        console.log(error?.stack ?? error);
        process.exit(1);
    });
}
