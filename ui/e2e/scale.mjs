// SPDX-License-Identifier: Apache-2.0
// Many services and alerts, as bench/console.py and the tests put them there: nothing here is made up. What a step costs is counted
// (requests, bytes, rows in the page), which is so on any machine, and timed, which is said.
import { appendFileSync } from "node:fs";
import { axe, check, open, untilSo } from "./browser.mjs";
import { until } from "./waiting.mjs";

const { CONSOLE, OPERATOR, STATE } = process.env;
const ALERTS = Number(process.env.ALERTS);
const SERVICES = Number(process.env.SERVICES);
const { browser, page, faults } = await open();

const TASKS = new Set(["RunTask", "ThreadControllerImpl::RunTask"]);
const asked = [];
page.on("response", (answer) => {
    const url = new URL(answer.url());
    if (/\/alerts(\/index)?$/.test(url.pathname)) asked.push({ path: url.pathname + url.search, status: answer.status(), body: answer.body().then((bytes) => bytes.length) });
});

/** The longest task of the page's main thread: how long it took, and how much of that it had a processor. */
function longestTask(trace) {
    const { traceEvents } = JSON.parse(trace.toString());
    const mains = new Set(traceEvents.filter((one) => one.name === "thread_name" && one.args.name === "CrRendererMain").map((one) => `${one.pid} ${one.tid}`));
    const tasks = traceEvents.filter((one) => one.ph === "X" && TASKS.has(one.name) && mains.has(`${one.pid} ${one.tid}`));
    const most = (of) => Math.round(tasks.reduce((worst, one) => Math.max(worst, one[of] ?? 0), 0) / 1000);
    return { wall: most("dur"), busy: most("tdur") };
}

/** Milliseconds from an input until it was painted, the worst of several, and the longest task meanwhile; then until all was there. */
async function slowest(what, act, there = async () => {}) {
    await page.evaluate(() => {
        globalThis.worst = 0;
        globalThis.watch ??= new PerformanceObserver((list) => {
            for (const one of list.getEntries()) globalThis.worst = Math.max(globalThis.worst, one.duration);
        });
        globalThis.watch.observe({ type: "event", durationThreshold: 16 });
    });
    const before = asked.length;
    await browser.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline"] });
    const begun = Date.now();
    await act();
    await there();
    const took = Date.now() - begun;
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const task = longestTask(await browser.stopTracing());
    const worst = await page.evaluate(() => globalThis.worst);
    const requests = asked.slice(before);
    const bytes = (await Promise.all(requests.map((one) => one.body))).reduce((sum, one) => sum + one, 0);
    console.log(`browser: ${what}: ${worst} ms from the input to the paint; the longest task ${task.wall} ms, of which ${task.busy} ms of CPU; all there after ${took} ms; ${requests.length} requests for alerts, ${Math.round(bytes / 1024)} KiB`);
    check(requests.every((one) => one.status === 200), `guardd answers each: ${requests.map((one) => `${one.status} ${one.path}`).join(", ")}`);
    return { requests: requests.length, bytes };
}

await page.goto(`${CONSOLE}/console/`);
await page.getByLabel("Token").fill(OPERATOR);
await page.getByRole("button", { name: "Log in" }).click();
const begun = Date.now();
await page.getByRole("link", { name: /^service-/ }).first().waitFor();
console.log(`browser: the overview was there ${Date.now() - begun} ms after logging in`);
const last = `service-${String(SERVICES - 1).padStart(3, "0")}`;
await slowest("typing into the overview's filter", async () => {
    await page.getByRole("searchbox").pressSequentially(last.slice(0, -1), { delay: 40 });
    await page.getByRole("link", { name: last }).waitFor();
});
await slowest("opening a service", async () => {
    await page.getByRole("link", { name: last }).click();
    await page.getByRole("heading", { name: "Endpoints" }).waitFor();
    await page.getByText("As a table").waitFor();
});
await slowest("its traffic as a table", () => page.getByText("As a table").click());

const region = page.getByRole("region", { name: "Alerts" });
const rowOf = (row) => page.locator(`[data-row="${row}"]`);
/** Until the row is there, with the alert that belongs there: the newest is row 0. */
async function rowIs(row, alert) {
    await page.locator(`[data-row="${row}"] a[href="#/alerts/${alert.toString(16).padStart(32, "0")}"]`).waitFor();
}
const inView = (row) => page.evaluate((number) => {
    const view = document.querySelector(".scroller").getBoundingClientRect();
    const box = document.querySelector(`[data-row="${number}"]`)?.getBoundingClientRect();
    return box !== undefined && box.top >= view.top - 45 && box.bottom <= view.bottom + 45;
}, row);
/** Scrolling by keys is animated. */
async function comesIntoView(row, what) {
    await until(what, () => inView(row));
    check(true, what);
}
const focusedRow = () => page.evaluate(() => Number(document.activeElement?.closest("[data-row]")?.dataset.row ?? -1));
async function few(what) {
    const rows = await region.getByRole("listitem").count();
    check(rows > 0 && rows < 60, `${what}: ${rows} rows are in the page`);
}

const opening = await slowest(
    `opening the page of ${ALERTS} alerts`,
    () => page.getByLabel("Main").getByRole("link", { name: "Alerts" }).click(),
    () => page.locator(`[data-row="0"][aria-setsize="${ALERTS}"] a`).waitFor(),
);
check(opening.requests <= 3, "it took the newest page and the index");
await rowIs(0, ALERTS - 1);
await few("the newest");
await region.focus();
const end = await slowest("End", () => page.keyboard.press("End"), () => rowIs(ALERTS - 1, 0));
// The keys' scrolling is animated: some of what it passes is asked for, two pages at a time.
check(end.requests <= 6 && end.bytes < 400_000, `the end is there by a few pages: ${end.requests}`);
await comesIntoView(ALERTS - 1, "the oldest alert is in view");
check((await rowOf(ALERTS - 1).getAttribute("aria-posinset")) === String(ALERTS), "and says which it is");
await few("the oldest");
const home = await slowest("Home", () => page.keyboard.press("Home"), () => rowIs(0, ALERTS - 1));
check(home.requests <= 6, `and so is the begin: ${home.requests}`);
await slowest("Page Down 20 times", async () => {
    for (let i = 0; i < 20; i++) await page.keyboard.press("PageDown");
});
const middle = Math.floor(ALERTS / 2);
const dragged = await slowest(
    "scrolling by hand over all to the middle",
    () => page.evaluate(async (to) => {
        const view = document.querySelector(".scroller");
        const whole = view.scrollHeight;
        for (let i = 20; i >= 0; i--) {
            view.scrollTop = i === 0 ? to * 44 : (whole * i) / 20;
            await new Promise((done) => requestAnimationFrame(done));
        }
    }, middle),
    () => rowIs(middle, ALERTS - 1 - middle),
);
check(dragged.requests <= 30, "not all that passed by was asked for");
await few("the middle");
await axe(page, "many alerts");

// From row to row by keys, and back to where one was.
await rowOf(middle + 2).getByRole("link").focus();
await page.keyboard.press("ArrowDown");
await until("the focus at the next alert", focusedRow, (row) => row === middle + 3);
check(true, "an arrow goes to the next alert");
const top = await page.evaluate(() => document.querySelector(".scroller").scrollTop);
await slowest("opening an alert", () => page.keyboard.press("Enter"), () => page.getByRole("heading", { name: "Evidence" }).waitFor());
const back = await slowest("going back", () => page.goBack(), () => rowIs(middle + 3, ALERTS - 4 - middle));
// What came meanwhile is asked for; the alert's page may still ask for its client's others.
check(back.requests <= 2 && back.bytes < 150_000, `what was there is there again: ${back.requests}`);
check((await page.evaluate(() => document.querySelector(".scroller").scrollTop)) === top, "one comes back to where one was");
await untilSo(page, (row) => Number(document.activeElement?.closest("[data-row]")?.dataset.row) === row, middle + 3, "the row after three has the focus");
check(true, "and to the alert that one opened");

// A new alert moves nothing that is read.
if (STATE) {
    const line = { time_ms: Date.now(), generation: 7, status: 403, score: 9.5, id: "f".repeat(32), service: "service-000", verdict: "block", action: "block", method: "GET", template: "/new", client: "10.0.0.0/24", explanation: "a new one", findings: [], suppressed: 0, count: 1, first_ms: Date.now(), last_ms: Date.now(), seq: ALERTS + 1 };
    appendFileSync(`${STATE}/alerts.jsonl`, `${JSON.stringify(line)}\n`);
    await page.getByRole("button", { name: "1 new: show them" }).waitFor();
    await rowIs(middle + 3, ALERTS - 4 - middle);
    check((await page.evaluate(() => document.querySelector(".scroller").scrollTop)) === top && (await focusedRow()) === middle + 3, "a new alert moves nothing");
    await page.getByRole("button", { name: "1 new: show them" }).click();
    await page.locator('[data-row="0"]', { hasText: "a new one" }).waitFor();
    await comesIntoView(0, "and is shown when one asks for it");
    await page.evaluate((to) => (document.querySelector(".scroller").scrollTop = to * 44), middle);
    await rowIs(middle + 1, ALERTS - 1 - middle);
    check(true, "the others are one further down");
    await page.evaluate(() => (document.querySelector(".scroller").scrollTop = 0));
    await rowOf(0).getByRole("link").waitFor();
}
await rowOf(3).getByRole("link").focus();
const ends = ALERTS - 1 + (STATE ? 1 : 0);
await slowest("End, from an alert", () => page.keyboard.press("End"), () => rowIs(ends, 0));
await untilSo(page, (row) => Number(document.activeElement?.closest("[data-row]")?.dataset.row) === row && document.activeElement.tagName === "A", ends, "the row that was left has the focus");
await comesIntoView(ends, "the keys go to the oldest alert");
await page.keyboard.press("PageUp");
await until("the focus a page back", focusedRow, (row) => row > 0 && row < ends - 3);
check(true, "and a page back");

await slowest("typing into the filter", () => page.getByLabel("Service").pressSequentially("service-007", { delay: 40 }));
const mine = Math.floor((ALERTS - 8) / SERVICES) + 1;
const filtered = await slowest("looking it up", () => page.keyboard.press("Enter"), () => page.locator(`[data-row="0"][aria-setsize="${mine}"] a`).waitFor());
check(filtered.requests <= 3, "a filter takes a page and its index");
await region.focus();
await slowest("End, among those", () => page.keyboard.press("End"), () => rowIs(mine - 1, 7));
check(faults.filter((one) => !/status of (401|404)/.test(one)).length === 0, `nothing is wrong on the console: ${faults.join("; ")}`);
await browser.close();
