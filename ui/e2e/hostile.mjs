// SPDX-License-Identifier: Apache-2.0
// What attackers send stays text: through the gate, and as the worst that an API could answer.
import { check, open } from "./browser.mjs";
import * as traffic from "./traffic.mjs";

const { LOGIN, ATTACK } = process.env;
const MARKUP = '"><img src=x onerror=alert(1)><script>alert(2)</script>';
const gate = new URL(ATTACK);

const send = (path, headers = {}, body = "") => traffic.send(gate.origin, path, { headers, body });

// Names, values and paths that are markup, turn text around, are invisible, or are long.
const nasty = [MARKUP, "\u202e\u2066evil\u200b\u0000\u001b[31m", "x".repeat(6000), "{{constructor.constructor('alert(3)')()}}", "javascript:alert(4)"];
for (const word of nasty) {
    const escaped = encodeURIComponent(word);
    await send(`${gate.pathname}?${escaped}=1`);
    await send(`${gate.pathname}?username=${escaped}`);
    await send(`/${escaped}`.slice(0, 4000));
    await send(gate.pathname, { "x-odd": encodeURIComponent(word).slice(0, 4000), "user-agent": MARKUP });
}

// Bodies: names of 64 KiB, and markup as names of members, of fields and of a cookie.
for (const word of [MARKUP, MARKUP + "y".repeat(65536)]) {
    await send(gate.pathname, { "content-type": "application/json" }, JSON.stringify({ [word]: word, list: [{ [word]: 1 }] }));
    await send(gate.pathname, { "content-type": "application/x-www-form-urlencoded" }, `${encodeURIComponent(word)}=${encodeURIComponent(word)}`);
    await send(gate.pathname, { "content-type": word.slice(0, 2000) }, word);
    await send(gate.pathname, { cookie: `${encodeURIComponent(word).slice(0, 2000)}=1` });
}

const { browser, page, faults } = await open();
await page.goto(LOGIN);
await page.getByRole("heading", { name: "Overview" }).waitFor();
const base = page.url().split("#")[0];
await page.goto(`${base}#/alerts`);
await page.getByRole("region", { name: "Alerts" }).waitFor();
await page.getByText(/script|img|\\u\{202e\}/).first().waitFor();
async function inert(where) {
    const strange = await page.evaluate(() => document.querySelectorAll("script:not([src]), img:not([src='/console/icon.svg']), iframe, [onerror], a[href^='javascript']").length);
    check(strange === 0, `no markup of strangers on ${where}`);
    const raw = await page.evaluate(() => /[\u202a-\u202e\u2066-\u2069\u200b\u0000-\u0008\u001b]/.test(document.body.innerText));
    check(!raw, `nothing invisible is raw on ${where}`);
}
await inert("the alerts");
for (const link of (await page.getByRole("region", { name: "Alerts" }).getByRole("link").evaluateAll((all) => all.map((one) => one.getAttribute("href")))).slice(0, 8)) {
    await page.goto(base + link);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await inert(`alert ${link.slice(0, 30)}`);
}

// An API that answers the worst.
const long = `${MARKUP}\u202e${"\u0301".repeat(500)}${"A".repeat(65536)}`;
const alert = (i) => ({ time_ms: 1e12, generation: 1, status: 403, score: 1, id: `${i}`, service: long, verdict: "block", action: long, method: long, template: long, client: long, explanation: long, findings: [{ part: long, location: long, name: long, rule: long, observed: long, expected: long, p: 1e-9 }], suppressed: 0, count: 1, first_ms: 1e12, last_ms: -5e300, seq: i });
await page.route(/\/api\/v1\/alerts(\?|$)/, (route) => route.fulfill({ json: { newest: "1", alerts: [1, 2, 3].map(alert), next: null } }));
await page.route(/\/api\/v1\/alerts\/index/, (route) => route.fulfill({ json: { lines: 1e15, alerts: -1, step: 100, cursors: [long], until_ms: 1e300, bin_ms: 1, bins: [1, -5, 1e300] } }));
await page.route(/\/api\/v1\/alerts\/1$/, (route) => route.fulfill({ json: alert(1) }));
await page.route(/\/api\/v1\/alerts\/1\/triage$/, (route) => route.fulfill({ json: { time_ms: 1, by: long, id: "1", service: long, state: long, reason: long } }));
const item = (id) => ({ id, title: long, clients: 1, lacks: long, attack: true });
await page.route(/\/api\/v1\/alerts\/1\/review$/, (route) => route.fulfill({ json: { id: "1", service: long, generation: 1, taught: 1, findings: [{ items: [item("a"), item("b")], why_not: long }, { items: [], why_not: long }] } }));
await page.goto(`${base}#/`);
await page.goto(`${base}#/alerts`);
await page.getByText(/characters left out/).first().waitFor();
await inert("made alerts");
await page.goto(`${base}#/alerts/1`);
await page.getByRole("heading", { name: "Evidence" }).waitFor();
await page.getByText("Several things that wait look like it").waitFor();
await inert("a made alert");
check((await page.evaluate(() => document.body.innerText.length)) < 20000, "what is long is cut");
check((await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth + 1)), "nothing is wider than the page");
const real = faults.filter((one) => !/status of 404/.test(one)); // nobody said anything of an alert yet
check(real.length === 0, `nothing is wrong on the console: ${real.join("; ").slice(0, 2000)}`);
await browser.close();
