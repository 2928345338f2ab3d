// SPDX-License-Identifier: Apache-2.0
// One of four replicas is misused: the page names it, leads to the request that opened the door, tells what was done, and takes decisions.
import { apiOf, axe, check, confirm, open } from "./browser.mjs";
import { DROPPED, EXEC, orderOf, put, report, REQUEST } from "./sensors.mjs";
import { status } from "./traffic.mjs";
import { until } from "./waiting.mjs";

const { CONSOLE, LOGIN, ATTACK, VIEWER } = process.env;
const MARKUP = '"><img src=x onerror=alert(1)>';
const ODD = "web-7f9c-00002";
const DEBUGGED = "web-7f9c-00003";
const { browser, context, page, faults } = await open();

const api = apiOf(page);
const badge = (name) => page.getByRole("row", { name: new RegExp(name) }).first();

await page.goto(LOGIN);
await page.getByRole("heading", { name: "Overview" }).waitFor();
const base = page.url().split("#")[0];
await page.getByRole("link", { name: /^demo.*quiet/ }).waitFor();
check((await page.getByText("pods do what no other replica does").count()) === 1, "the overview counts pods that deviate");

// A request that is blocked; what the pod does then is tied to it.
await status(ATTACK, "127.0.0.1");
const door = (await until("the gate's alert", async () => (await api("/alerts?service=demo&action=block&limit=1")).alerts[0])).id;

await page.getByRole("link", { name: /^demo/ }).first().click();
await page.getByRole("link", { name: "Pods", exact: true }).click();
await page.getByRole("heading", { name: /prod\/web/ }).waitFor();
check((await page.getByRole("rowheader", { name: /web-7f9c/ }).count()) === 4, "four replicas stand side by side");
check((await page.getByText("as the others").count()) === 4, "none of them does what no other does");
await axe(page, "quiet pods");

// Live: what comes is there without asking.
await page.getByText("live", { exact: true }).waitFor();
put([
    [2, "gate", [REQUEST, "GET /users", `character never seen ${MARKUP}`, door]],
    [2, "podwatch", [DROPPED, `/tmp/${MARKUP}\u202e\u001b[31m`, "/app/server", door], [EXEC, "/usr/bin/id", "/app/server", door]],
]);
await badge(ODD).getByText("to be replaced").waitFor();
check((await page.getByRole("rowheader", { name: /web-7f9c/ }).first().textContent()).includes(ODD), "the one that deviates stands first");
check((await badge(ODD).getByRole("cell").nth(2).textContent()).includes("1"), "its hard signs are counted");
await page.getByText("guardd orders replacements.").waitFor();
await axe(page, "pods of which one is misused");

// The bundle.
const order = await until("the order", () => orderOf(ODD));
report(order.id, [
    { step: "contain", outcome: "done", detail: "no new connections, no new programs" },
    { step: "capture", outcome: "done", detail: `/var/lib/guard-responder/captures/${order.id}: 3 processes` },
    { step: "remove", outcome: "failed", detail: `exit 1 ${MARKUP}` },
]);
await page.getByRole("rowheader", { name: ODD }).getByRole("link").click();
await page.getByRole("heading", { name: `prod/${ODD}` }).waitFor();
await page.getByRole("heading", { name: /Told at/ }).first().waitFor();
const evidence = page.getByRole("table").filter({ has: page.getByRole("columnheader", { name: "What it did" }) }).first();
check((await evidence.getByRole("row").nth(1).textContent()).includes("hard sign"), "the evidence begins with the hard sign");
check((await page.getByText("0 others did, in").count()) > 0, "how many others did it is told");
const moments = page.locator("ol.moments").first();
await moments.getByText("remove: failed").waitFor(); // the last of them: guardd may read a report that is being written
const lines = await moments.getByRole("listitem").allTextContents();
const at = (word) => lines.findIndex((line) => line.includes(word));
check(at("runs what was written") >= 0 && at("runs what was written") < at("told as") && at("order given") < at("contain: done") && at("contain: done") < at("capture: done") && at("capture: done") < at("remove: failed"), `everything stands in the order of time: ${lines.join(" | ")}`);
check((await page.getByText("on the pod's node").textContent()).includes(`captures/${order.id}`), "where the captures are is told");
report(order.id, [{ end: "kept", detail: "remove: exit 1" }]);
await moments.getByText("ended:").waitFor();
await axe(page, "a pod");
check((await page.evaluate(() => document.querySelectorAll("script:not([src]), img:not([src='/console/icon.svg']), [onerror]").length)) === 0, "no markup of strangers");
check((await page.evaluate(() => !/[\u202a-\u202e\u001b]/.test(document.body.innerText))) && (await page.getByText("onerror").count()) > 0, "what strangers chose stands there as text");
check(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth + 1), "nothing is wider than the page");

// The request that opened the door.
await page.getByText("The gate said").first().waitFor();
await page.getByRole("link", { name: door }).first().click();
await page.waitForURL(/alerts\?.*id=/);
const region = page.getByRole("region", { name: "Alerts" });
await region.getByRole("link", { name: /blocked/ }).first().waitFor();
check(true, "the request that opened the door is linked");
// And back: an alert of a pod leads to the pod.
await region.getByRole("link", { name: /REPLACE pod/ }).first().click();
await page.getByRole("heading", { name: `prod/${ODD}` }).waitFor();
check(true, "an alert of a pod leads to it");

// Deciding: says before what it does, how else it can be said, and how it is undone.
const program = evidence.getByRole("row", { name: /\/usr\/bin\/id/ });
await program.getByRole("button", { name: /^Approve/ }).click();
const saying = await page.getByRole("dialog").textContent();
check(saying.includes("is normal from now on") && saying.includes("Refuse it: the later decision") && /guard pods approve demo [0-9a-f]{16}/.test(saying), "the dialog tells what it does, its undo and the command");
await axe(page, "a decision about a pod");
check((await api("/services/demo/pods/decisions")).total === 0, "nothing is decided before the yes");
await confirm(page, "a nightly job");
await program.getByText("normal", { exact: true }).waitFor();
const [approved] = (await api("/services/demo/pods/decisions")).decisions;
check(approved.decision === "approve" && approved.reason === "a nightly job" && approved.what.includes("/usr/bin/id"), "the API tells the decision");
// What is approved is no evidence any more.
put([[1, "podwatch", [EXEC, "/usr/bin/id", "/app/server", "-"]]]);
await page.getByRole("link", { name: "All pods" }).click();
const listed = page.getByRole("table").filter({ has: page.getByRole("columnheader", { name: "Who, when and why" }) });
await listed.getByRole("row", { name: /usr\/bin\/id/ }).getByRole("button", { name: /^Refuse/ }).click();
await confirm(page, "nobody knows it");
await listed.getByText("never normal").first().waitFor();
check((await api("/services/demo/pods/decisions")).decisions[0].decision === "refuse", "the later decision takes the place of the one before");

// Filter, and what isn't there.
await page.getByLabel("Whose name contains").fill("00002");
await page.getByText("1 live replicas match").waitFor();
check((await page.getByRole("rowheader", { name: /web-7f9c/ }).count()) === 1, "the filter finds the pod");
await page.getByLabel("Whose name contains").fill("nowhere");
await page.getByText("No live replica matches.").waitFor();
await page.getByLabel("Whose name contains").fill("");
await page.getByLabel("Which").selectOption("deviating");
await page.getByRole("rowheader", { name: ODD }).waitFor();

// Somebody debugs, by keys alone.
async function tabTo(name) {
    for (let i = 0; i < 120; i++) {
        await page.keyboard.press("Tab");
        const focused = await page.evaluate(() => {
            const one = document.activeElement;
            return `${one?.getAttribute("aria-label") ?? one?.closest("label")?.textContent ?? one?.textContent ?? ""}`.trim();
        });
        if (name.test(focused)) return;
    }
    throw new Error(`no way by Tab to ${name}`);
}
await page.goto(`${base}#/services/demo/pods?pod=${encodeURIComponent(`prod/${DEBUGGED}`)}`);
await page.getByRole("heading", { name: `prod/${DEBUGGED}` }).waitFor();
await page.getByText("No sensor has told").count();
await tabTo(/^For/);
await page.keyboard.press("ArrowUp");
await tabTo(/^Somebody debugs in it/);
await page.keyboard.press("Enter");
await page.getByRole("dialog").waitFor();
check((await page.getByRole("dialog").textContent()).includes("also what an intruder does in it"), "what a session hides is said");
await tabTo(/^Reason/);
await page.keyboard.type("a ticket");
await page.keyboard.press("Enter");
await page.getByRole("dialog").waitFor({ state: "hidden" });
await page.getByText("Somebody debugs in it until").waitFor();
const [session] = (await api("/services/demo/pods")).sessions;
check(session.pod === DEBUGGED && session.until_ms < Date.now() + 901_000, "the session is of the pod, for the time that was chosen by keys");
put([[3, "podwatch", [DROPPED, "/tmp/strace", "/bin/sh", "-"]]]);
await page.getByText("No order was given.").waitFor();
check((await page.getByText(/Why not more: .*somebody debugs in it/).count()) === 1, "while somebody debugs nothing is ordered, and that is why");
await page.getByRole("button", { name: "End the session" }).click();
await confirm(page, "done");
await page.getByRole("button", { name: "Somebody debugs in it" }).waitFor();

await page.goto(`${base}#/`);
await page.getByRole("link", { name: /^demo.*to replace/ }).waitFor();
await page.getByLabel("Which").selectOption("pods");
await page.getByRole("listitem").filter({ hasText: "pods do what no other" }).getByRole("link", { name: "demo" }).click();
await page.getByRole("heading", { name: /prod\/web/ }).waitFor();
check(true, "the overview leads to the pods");

// Answers that are no good, and a responder's books: what isn't said isn't shown.
const route = /\/api\/v1\/services\/demo\/pods(\?|$)/;
check((await page.getByText("Budget of replacements").count()) === 0, "without a responder no budget is shown");
const good = await api("/services/demo/pods");
for (const [answer, said] of [
    [{ status: 503, contentType: "application/problem+json", body: '{"detail":"later"}' }, "guardd is busy"],
    [{ status: 403, contentType: "application/problem+json", body: '{"detail":"no"}' }, "Your role doesn't allow this"],
    [{ status: 200, contentType: "application/json", body: "{}" }, "The answer was no good"],
    [null, "guardd can't be reached"],
]) {
    await page.route(route, (asked) => (answer ? asked.fulfill(answer) : asked.abort()));
    await page.goto(`${base}#/settings`);
    await page.goto(`${base}#/services/demo/pods`);
    await page.getByText(said).first().waitFor();
    await page.unroute(route);
    check(true, `pods: ${said}`);
}

// Hundreds of replicas, names that are the worst, and a workload that the responder has stopped for.
const long = `${MARKUP}\u202e\u0007${"A".repeat(65536)}`;
const workload = good.workloads[0];
const replica = (i) => ({ ...workload.replicas[3], pod: i === 0 ? long : `web-7f9c-${String(i).padStart(5, "0")}`, node: i === 0 ? long : "node-1", alone_count: i === 17 ? 1 : 0, alone: i === 17 ? [{ id: "0".repeat(16), kind: "exec", text: long, review: "none", count: 1, first_ms: 1e12, last_ms: 1e12 }] : [], blind: i % 2 ? [] : ["exec", "user"] });
const books = { dry_run: false, budget: { allowed: 3, spent: 1, window_seconds: 600, in_flight: false, backoff_seconds: 60, next_ms: null, permit: "stopped" }, stopped: { since_ms: Date.now() - 60_000, reason: "same-evidence" }, contained: [{ pod: ODD, uid: "", order: "5c1f", until_ms: Date.now() + 3600_000, frozen: false }], resume_pending: false };
const responder = { seen_ms: Date.now(), lives: true, dry_run: false, stopped: false, broken: null, resumes: true, hour: { allowed: 10, next_ms: null } };
const many = { ...good, responder, workloads: [{ ...workload, live_count: 2000, replicas: Array.from({ length: 256 }, (_, i) => replica(i)), responder: books }] };
await page.route(route, (asked) => asked.fulfill({ json: many }));
let resumed = null;
await page.route(/\/api\/v1\/services\/demo\/pods\/resume$/, (asked) => {
    resumed = asked.request().postDataJSON();
    return asked.fulfill({ status: 202, json: { service: "demo", what: "prod/web", resume: "asked" } });
});
await page.goto(`${base}#/services/demo`);
await page.goto(`${base}#/services/demo/pods`);
await page.getByText("another pod showed the same").waitFor();
check((await page.getByRole("rowheader", { name: /web-7f9c-/ }).count()) <= 50, "of hundreds a page at a time is shown");
const heads = (await page.getByRole("rowheader", { name: /web-7f9c/ }).allTextContents()).slice(0, 4);
check(heads.some((head) => head.includes("00017")), `those that deviate first: ${heads.join(", ")}`);
check((await page.getByText("1,744 more aren't listed").count()) === 1, "how many aren't listed is said");
check((await page.getByText("unseen", { exact: true }).count()) > 0, "what no sensor sees is told as unseen");
check((await page.getByText("1 of 3 in 600 s").count()) === 1, "the budget is told");
await axe(page, "hundreds of replicas and a budget");
await page.getByRole("button", { name: "Show more (206)" }).click();
await page.getByRole("button", { name: "Resume", exact: true }).click();
check((await page.getByRole("dialog").textContent()).includes("guard pods resume demo prod/web --reason"), "the dialog tells the command");
await confirm(page, "patched");
check(resumed?.workload === "prod/web" && resumed.reason === "patched", "resuming is asked for by the workload, with the reason");
check((await page.evaluate(() => document.querySelectorAll("script:not([src]), img:not([src='/console/icon.svg']), [onerror]").length)) === 0, "no markup of strangers in names");
check((await page.evaluate(() => !/[\u202a-\u202e\u0007]/.test(document.body.innerText))) && (await page.evaluate(() => document.body.innerText.length)) < 40_000, "what is invisible is escaped, what is long is cut");
check(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth + 1), "nothing is wider than the page");
await page.unroute(route);

// A viewer sees who deviates, and isn't offered what would be refused.
await page.goto("about:blank");
await context.clearCookies();
await page.goto(`${CONSOLE}/console/`);
await page.getByLabel("Token").fill(VIEWER);
await page.getByRole("button", { name: "Log in" }).click();
await page.getByRole("link", { name: /^demo/ }).first().click();
await page.getByRole("link", { name: "Pods", exact: true }).click();
await page.getByRole("rowheader", { name: ODD }).getByRole("link").click();
await page.getByRole("heading", { name: /Told at/ }).first().waitFor();
check((await page.getByRole("button", { name: /Approve|Refuse|debugs|Resume/ }).count()) === 0, "a viewer isn't offered to decide");
const refused = await page.evaluate(() => fetch("/api/v1/services/demo/pods/decisions", { method: "POST", headers: { "X-Guard-Console": "1", "Content-Type": "application/json" }, body: '{"id":"0000000000000000","decision":"approve","reason":"x"}' }).then((answer) => answer.status));
check(refused === 403, "and the API refuses what the page doesn't offer");
const real = faults.filter((one) => !/status of (4|5)\d\d|ERR_FAILED/.test(one));
check(real.length === 0, `nothing is wrong on the console: ${real.join("; ")}`);
await browser.close();
