// SPDX-License-Identifier: Apache-2.0
// What people press that reaches others, or is for good, each against the real guardd: the test of an output, an alert and a release
// accepted as normal, the review in bulk; and what appears by itself. In a zone that is ahead of UTC by ten hours and a half.
import http from "node:http";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { apiOf, axe, check, confirm, open, untilSo } from "./browser.mjs";
import { gatesFollow } from "./gate.mjs";
import { status } from "./traffic.mjs";
import { until } from "./waiting.mjs";

const { LOGIN, BENIGN, STATE } = process.env;
const ZONE = "Australia/Adelaide";
const { browser, page, faults } = await open({ zone: ZONE });
const api = apiOf(page);
const there = (ms) => new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "medium", timeZone: ZONE }).format(new Date(ms));

function put(path, text) {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
}

const CLIENTS = 6;
const FIELDS = 3;
let turn = 0;

/** Six clients send each of three fields. */
async function send(word) {
    turn++;
    for (let field = 1; field <= FIELDS; field++) {
        for (let client = 1; client <= CLIENTS; client++) await status(`${BENIGN}&${word}${field}=summer`, `127.${40 + turn}.${field * 10 + client}.1`);
    }
}

/** Those that wait, once guardd has learned of all who sent them. */
async function novelties(word) {
    const begin = Date.now();
    await send(word);
    const ours = (one) => one.name.startsWith(word);
    await until(
        `all ${CLIENTS} clients of each ${word}`,
        async () => (await api(`/services/demo/endpoint?method=GET&template=${encodeURIComponent(new URL(BENIGN).pathname)}&limit=100`)).fields.filter(ours).map(({ name, clients, lacks }) => ({ name, clients, lacks })),
        (fields) => fields.length === FIELDS && fields.every((field) => field.clients === CLIENTS),
    );
    const items = (await api("/services/demo/review?limit=100")).items.filter((item) => item.state === "waiting" && item.kind === "name" && ours(item));
    return { items, begin, end: Date.now() };
}

/** What was seen in two epochs is normal by that: where an epoch ended meanwhile, other fields are sent. */
async function waiting(word) {
    for (const letter of ["a", "b", "c"]) {
        const found = await novelties(word + letter);
        if (found.items.length >= 2) return found;
        console.log(`an epoch ended: of ${word}${letter} there wait ${found.items.length}`);
    }
    throw new Error(`no two of ${word} wait`);
}

await page.goto(LOGIN);
await page.getByRole("heading", { name: "Overview" }).waitFor();
const base = page.url().split("#")[0];

// An output, to a receiver of our own.
const received = [];
const receiver = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk)).on("end", () => {
        received.push(body);
        response.end();
    });
});
await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
put(`${STATE}/outputs.yaml`, `apiVersion: guard/v1alpha1\nkind: Outputs\noutputs:\n  - {name: hook, type: webhook, url: "http://127.0.0.1:${receiver.address().port}/hook"}\n`);
await until("the output", () => api("/outputs"), ({ outputs }) => outputs.some((one) => one.name === "hook"));
await page.goto(`${base}#/settings`);
await page.getByRole("button", { name: "Send a test hook" }).click();
check((await page.getByRole("dialog").textContent()).includes("guard outputs test hook"), "the dialog tells the command");
await confirm(page);
await until("the test at the receiver", () => received, () => received.some((body) => /"test":true|a test/i.test(body)));
check(received.length > 0, `the receiver got what was sent: ${received[0].slice(0, 60)}`);
await page.getByRole("row", { name: /hook/ }).getByText("fine").waitFor();

// What comes is there by itself: nothing loads the page anew.
await page.goto(`${base}#/`);
await page.getByRole("link", { name: /^demo/ }).waitFor();
await page.evaluate(() => (globalThis.mark = "the same page"));
const card = page.getByRole("listitem").filter({ has: page.getByRole("link", { name: /alerts/ }) });
await card.and(page.locator("[aria-busy=false]")).waitFor(); // no number stands there before
const alertsThen = Number((await card.locator("b").textContent()).replaceAll(",", ""));
await status(`${new URL(BENIGN).origin}/appears-by-itself?name=${encodeURIComponent("' or 1=1--")}`, "127.39.1.1");
await untilSo(page, (then) => Number(document.querySelector(".cards li:last-child b").textContent.replaceAll(",", "")) > then, alertsThen, "an alert that is counted by itself");
mkdirSync(`${STATE}/guardians`, { recursive: true });
put(`${STATE}/guardians/newcomer.yaml`, "apiVersion: guard/v1alpha1\nkind: Guardian\nservice: newcomer\ncontrol: {mode: alert}\n");
await page.getByRole("link", { name: /^newcomer/ }).waitFor();
check((await page.evaluate(() => globalThis.mark)) === "the same page", "a new alert and a new service appear by themselves");

// A new field is told where that proves enough, and teaches nothing where it would block. In a service as young as this one either is a
// matter of chance: how much its first clients prove is an estimate. With twice the budget what they prove lies in the middle between.
const guardian = `${STATE}/guardians/demo.yaml`;
put(guardian, readFileSync(guardian, "utf8").replace(/falseAlarmBudget: .*/, "falseAlarmBudget: 0.0002"));
await until("the budget", () => api("/services/demo"), (demo) => demo.false_blocks.budget === 0.0002);

// What waits is seen in mode alert: what is blocked teaches nothing.
await page.goto(`${base}#/services/demo`);
await page.getByRole("button", { name: "alert", exact: true }).click();
await confirm(page);
await page.locator("button[aria-pressed=true]", { hasText: "alert" }).waitFor();
await gatesFollow(api, "demo", "alert");

// An alert, accepted as normal.
const { items: vouchers, begin: sentFrom } = await waiting("voucher");
const told = await until(
    "an alert of what waits",
    () => api(`/alerts?service=demo&since=${sentFrom - 1000}&limit=100`),
    ({ alerts }) => alerts.find((alert) => alert.findings.some((finding) => vouchers.some((item) => item.name === finding.name))),
);
const taught = vouchers.find((item) => told.findings.some((finding) => finding.name === item.name));
await page.goto(`${base}#/alerts/${encodeURIComponent(told.id)}`);
await page.getByRole("button", { name: new RegExp(`^Accept just this.*${taught.name}: the name`) }).click();
check((await page.getByRole("dialog").textContent()).includes("Nothing else is accepted."), "what is accepted, and that nothing else is");
await confirm(page, "the shop's vouchers");
await until("the decision", () => api("/services/demo/review?limit=100"), ({ items }) => items.some((item) => item.state === "accept" && item.name === taught.name && item.why === "the shop's vouchers"));

// What looks like a release: who uses it and since when are those of guardd, in the zone of who looks.
const { items: coupons, begin, end } = await waiting("coupon");
const [coupon] = coupons;
check(coupon.clients === CLIENTS && coupon.first_ms >= begin - 1000 && coupon.first_ms <= end, `six clients, first in these seconds: ${coupon.clients}, ${coupon.first_ms}`);
await page.goto(`${base}#/services/demo/review`);
const release = page.getByRole("region", { name: "Looks like a release" });
const line = release.getByRole("listitem").filter({ hasText: coupon.name });
await line.waitFor();
const words = (await line.textContent()).replace(/\s+/g, " ").replaceAll("\u202f", " ");
check(words.includes(`${CLIENTS} clients use the new field query ${coupon.name}`) && words.includes(`since ${there(coupon.first_ms).replaceAll("\u202f", " ")};`), `who uses it and since when: ${words}`);
check((await page.getByText(`Times are of ${ZONE}.`).count()) === 1, "the zone is told");
await axe(page, "what looks like a release");
await line.getByRole("button", { name: /^Accept/ }).click();
await confirm(page, "release 12");
const decided = page.getByRole("row").filter({ hasText: "release 12" });
await decided.first().waitFor();
check((await decided.first().textContent()).includes("accepted") && (await api("/services/demo/review?limit=100")).items.some((item) => item.state === "accept" && item.name === coupon.name), "the release is accepted");
await line.waitFor({ state: "detached" });

// In bulk, and taken back.
const { items: extras } = await waiting("extra");
await page.reload();
await page.getByRole("button", { name: "Select all that doesn't read like an attack" }).click();
await page.getByRole("button", { name: /^Refuse \([1-9]\d*\)$/ }).click();
await confirm(page, "nobody ordered that");
for (const item of extras) await page.getByRole("row").filter({ hasText: item.name }).filter({ hasText: "nobody ordered that" }).first().waitFor();
await page.getByRole("row").filter({ hasText: extras[0].name }).getByRole("button", { name: "Take the decision back" }).first().click();
await confirm(page);
await until("it to wait again", () => api("/services/demo/review?limit=100"), ({ items }) => items.some((item) => item.state === "waiting" && item.name === extras[0].name));

await page.goto(`${base}#/services/demo`);
await page.getByRole("button", { name: "block", exact: true }).click();
await confirm(page, "all seen");
await page.locator("button[aria-pressed=true]", { hasText: "block" }).waitFor();
receiver.close();
receiver.closeAllConnections();
const real = faults.filter((one) => !/status of (401|422|404)/.test(one));
check(real.length === 0, `nothing is wrong on the console: ${real.join("; ")}`);
await browser.close();
