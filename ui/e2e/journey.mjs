// SPDX-License-Identifier: Apache-2.0
// What a new operator does: learn, look, say what it was, let pass, block, go back, review, patch, decide about a pod, give a colleague access.
import { apiOf, axe, check, confirm, open } from "./browser.mjs";
import { gatesFollow } from "./gate.mjs";
import { DROPPED, put, REQUEST } from "./sensors.mjs";
import { status, until } from "./traffic.mjs";
import { until as untilSaid } from "./waiting.mjs";

const { LOGIN, ATTACK, BENIGN } = process.env;
const { browser, page, faults } = await open();
const api = apiOf(page);

await page.goto(LOGIN);
await page.getByRole("heading", { name: "Overview" }).waitFor();
check(!page.url().includes("login="), "the code is gone from the address");
check((await page.evaluate(() => document.cookie)) === "", "scripts can't read the session");
check((await page.evaluate(() => localStorage.length + sessionStorage.length)) === 0, "the page keeps nothing");
const timing = await page.evaluate(() => ({ ms: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0, bytes: performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation")).filter((one) => !one.name.includes("/api/")).reduce((sum, one) => sum + one.transferSize, 0) }));
console.log(`first view: ${Math.round(timing.bytes / 1024)} KiB, painted after ${Math.round(timing.ms)} ms`);
check(timing.bytes < 150 * 1024, "the first view has at most 150 KiB");
await page.getByRole("link", { name: /^demo/ }).waitFor();
await axe(page, "the overview");
check(/≤ 1 in [0-9,]+/.test(await page.getByRole("link", { name: /^demo/ }).textContent()), "what is proved of false blocks is told");

await page.getByRole("link", { name: /^demo/ }).click();
await page.getByRole("heading", { name: "demo" }).waitFor();
await page.getByRole("table").getByText("ready").first().waitFor(); // the heading stands there before the table
await page.getByRole("heading", { name: "Releases" }).waitFor();
await page.getByRole("img", { name: /^Traffic: [1-9]/ }).waitFor();
await page.getByText("As a table").focus();
await page.keyboard.press("Enter");
const counted = page.getByRole("row").filter({ has: page.getByRole("columnheader", { name: "99 %" }) });
await counted.waitFor();
const rows = await page.getByRole("table").filter({ has: counted }).getByRole("row").count();
check(rows > 1, `the table beside the charts has ${rows - 1} steps with traffic`);
const drawn = Number((await page.getByRole("img", { name: /^Traffic:/ }).getAttribute("aria-label")).match(/[\d,]+/)[0].replaceAll(",", ""));
const listed = (await page.getByRole("table").filter({ has: counted }).locator("tbody tr td:nth-child(2)").allTextContents()).reduce((sum, one) => sum + Number(one.replaceAll(",", "")), 0);
check(drawn > 1000 && Math.abs(drawn - listed) <= drawn / 10, `chart and table tell the same: ${drawn} and ${listed} exchanges`);
await axe(page, "a service");
await page.getByRole("combobox", { name: /^Time/ }).selectOption("hour");
await page.getByRole("img", { name: /^Traffic: [1-9]/ }).waitFor();
await page.getByRole("table").getByRole("link").first().click();
await page.getByRole("link", { name: "All endpoints" }).waitFor();
check(await page.getByRole("columnheader", { name: "Characters" }).count() > 0 || await page.getByText("No parameter was learned").count() > 0, "an endpoint opens with its parameters");
await page.goBack();
await page.getByRole("table").getByRole("link", { name: /users/ }).first().click();
await page.getByRole("rowheader", { name: /username/ }).waitFor();
check(!(await page.getByRole("main").textContent()).includes("tom"), "no value is shown");
const spread = page.getByRole("button", { name: /^How it is spread: query username/ });
await spread.focus();
await page.keyboard.press("Enter");
const lengths = page.getByRole("slider", { name: /^Length/ });
await lengths.focus();
await page.keyboard.press("End");
const bucketWords = /^[\d,–]+ bytes: ([\d,]+) of ([\d,]+) exchanges, /;
const spreadOut = [];
for (let i = Number(await lengths.getAttribute("aria-valuemax")); i > 0; i--) {
    spreadOut.push(bucketWords.exec(await lengths.getAttribute("aria-valuetext")));
    await page.keyboard.press("ArrowLeft");
}
const asNumber = (text) => Number(text.replaceAll(",", ""));
check(spreadOut.length > 1 && spreadOut.every(Boolean) && spreadOut.reduce((sum, one) => sum + asNumber(one[1]), 0) === asNumber(spreadOut[0][2]), `keys tell all ${spreadOut.length} buckets of the lengths, and they sum up`);
check(await page.locator(".histogram .limit").count() > 0, "limits are marked");
await axe(page, "an endpoint");
await page.emulateMedia({ colorScheme: "dark" });
await axe(page, "an endpoint, dark");
await page.emulateMedia({ colorScheme: null });
await page.getByRole("link", { name: "All endpoints" }).click();

// Live: an attack appears without asking.
await page.getByRole("link", { name: "Alerts" }).first().click();
await page.getByRole("region", { name: "Alerts" }).waitFor();
await page.getByText("live", { exact: true }).waitFor();
await page.getByRole("listitem").filter({ hasText: "blocked" }).first().waitFor();
check(true, "the attack that was blocked is there");
const newest = page.getByRole("region", { name: "Alerts" }).getByRole("listitem").first();
const top = await newest.textContent();
await page.mouse.move(0, 0); // nobody reads the list
let appeared = false;
for (let i = 0; i < 600 && !appeared; i++) {
    // In another field each time: repetitions are told once a minute.
    if (i % 20 === 0) await status(`${new URL(ATTACK).origin}/appears?name${i}=${encodeURIComponent("' or 1=1--")}`, "127.9.0.1");
    appeared = (await newest.textContent()) !== top;
    if (!appeared) await new Promise((resolve) => setTimeout(resolve, 100));
}
check(appeared, "an attack appears without asking");
await page.getByRole("link", { name: new RegExp(`blocked.* ${new URL(ATTACK).pathname}`) }).first().click();
await page.getByRole("heading", { name: "Evidence" }).waitFor();
check(await page.getByRole("cell").first().isVisible(), "an alert shows evidence");
const near = page.getByRole("heading", { name: "Neighbours in time" }).locator("xpath=following-sibling::ul[1]");
await near.waitFor();
check((await near.getByRole("link").count()) > 0, "what came just before and after it is listed");
await axe(page, "an alert");
await page.getByRole("button", { name: "an attack" }).click();
check((await page.getByRole("dialog").textContent()).includes("guard triage "), "the dialog tells the command");
await axe(page, "a dialog");
await confirm(page, "it reads the users");
await page.getByText("Said so far").waitFor();
check(await page.getByRole("button", { name: "an attack" }).getAttribute("aria-pressed") === "true", "what was said is shown");

// Where it comes from is blocked for a while: whom that hits is told before; it is listed as a person's, and ended.
const client = (await page.getByText("Client", { exact: true }).locator("xpath=following-sibling::dd[1]").textContent()).trim();
await page.getByRole("combobox", { name: "For", exact: true }).selectOption("15m");
await page.getByRole("button", { name: "Block this client", exact: true }).click();
await page.getByRole("dialog").waitFor();
const whom = await page.getByRole("dialog").textContent();
check(/\.0\/24 gets nothing but 403/.test(whom) && whom.includes("guard clients block demo ") && whom.includes("--for 15m"), "the dialog tells whom a block hits, and the command");
await axe(page, "blocking a client");
await confirm(page, "it reads the users");
await page.getByText("It is blocked within seconds.").waitFor();
check(await until(BENIGN, 403, client), "all that comes from there is blocked");
check((await status(BENIGN)) === 200, "others are served");
const alertAt = page.url();
await page.goto(`${page.url().split("#")[0]}#/services/demo/clients`);
const made = page.getByRole("row", { name: /by a person/ });
await made.waitFor();
check((await made.textContent()).includes("it reads the users"), "who did it and why is shown");
await axe(page, "the clients");
await made.getByRole("button", { name: /End the block/ }).click();
await confirm(page, "seen enough");
await made.waitFor({ state: "detached" });
check(await until(BENIGN, 200, client), "it is served again");
await page.getByLabel("Address, prefix or subject").fill("10.0.0.0/8");
await page.getByRole("button", { name: "Block this client", exact: true }).click();
await page.getByRole("alert").filter({ hasText: "too wide" }).waitFor();
await page.goto(alertAt);
await page.getByRole("heading", { name: "Accept just this as normal" }).waitFor();
await page.getByText(/nothing waits there|Accept just this/).last().waitFor();

// What was blocked is let pass for a while, with the narrowest scope, and is listed until it is removed.
const base = page.url().split("#")[0];
await page.locator("summary").filter({ hasText: "Let it pass for a while" }).click(); // reasons beside it may say the same words
const scope = page.getByRole("group", { name: "Only where all of this is true" });
check((await scope.getByRole("checkbox", { name: /Endpoint/ }).isChecked()) && !(await scope.getByRole("checkbox", { name: /Client/ }).isChecked()), "an exception is of the endpoint, not of a client");
await axe(page, "the form of an exception");
// Several findings block this attack: of all the rest of it only the endpoint is asked.
for (const box of await scope.getByRole("checkbox", { name: /Place|Name|Rule/ }).all()) await box.uncheck();
await page.getByLabel("Its name").fill("FP-journey");
await page.getByLabel("Ends after so many days").fill("367");
check(await page.getByRole("button", { name: "What would be let pass" }).isDisabled(), "an exception ends within a year");
await page.getByLabel("Ends after so many days").fill("7");
await page.getByRole("button", { name: "What would be let pass" }).click();
const saying = await page.getByRole("dialog").textContent();
check(saying.includes("FP-journey until ") && saying.includes("guard exception add --service demo --id FP-journey --days 7"), "the dialog tells until when, and the command");
await confirm(page, "names with apostrophes");
await page.getByText("Added:").waitFor();
check(await until(ATTACK, 200), "what the exception covers passes");
await page.getByRole("link", { name: "Exceptions" }).click();
await page.getByRole("rowheader", { name: "FP-journey" }).waitFor();
check((await page.getByRole("row", { name: /FP-journey/ }).textContent()).includes("names with apostrophes"), "its reason is shown");
await axe(page, "the exceptions");
await page.getByRole("button", { name: "Remove FP-journey" }).click();
await confirm(page);
await page.getByText("No exceptions").waitFor();
check(await until(ATTACK, 403), "without it the attack is blocked again");

// Let everything pass, see that it does, and block again.
await gatesFollow(api, "demo", "block"); // every worker: any may be asked below
await page.goto(`${base}#/services/demo`);
await page.getByRole("button", { name: "observe" }).click();
check((await page.getByRole("dialog").textContent()).includes("PUT /api/v1/services/demo/mode"), "the dialog tells the request");
await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
check((await status(ATTACK)) === 403, "a change that isn't confirmed isn't made");
await page.getByRole("button", { name: "observe" }).click();
await confirm(page);
check(await until(ATTACK, 200), "in mode observe the attack passes");
await page.getByRole("button", { name: "block", exact: true }).click();
await confirm(page, "enough seen");
check(await until(ATTACK, 403), "in mode block it doesn't");
check((await status(BENIGN)) === 200, "benign requests pass");

await page.getByRole("button", { name: "Bypass for 30 minutes" }).click();
check(await page.getByRole("dialog").getByLabel("Reason").evaluate((field) => field.required), "a bypass needs a reason");
await confirm(page);
check(await until(ATTACK, 200), "with the bypass it passes");
await page.getByText("Everything passes until").waitFor();
await page.getByRole("button", { name: "End the bypass" }).click();
await confirm(page);
check(await until(ATTACK, 403), "without it it doesn't");

// Back and forth between generations.
await page.getByRole("link", { name: "Generations" }).click();
await page.getByRole("button", { name: /Compare with now/ }).last().click();
await page.getByRole("heading", { name: /What it lacks/ }).waitFor();
await page.getByRole("button", { name: /Go back to this one/ }).first().click();
await confirm(page, "a bad release");
await page.getByRole("button", { name: "End the rollback" }).waitFor();
await page.getByText("rolled back to").waitFor();
await axe(page, "generations");
await page.getByRole("button", { name: "End the rollback" }).click();
await confirm(page);
await page.getByRole("button", { name: "End the rollback" }).waitFor({ state: "detached" });

await page.getByRole("link", { name: "Review" }).click();
await page.getByRole("heading", { name: "Waiting to become normal" }).waitFor();

// A patch, through all of its life.
await page.getByRole("link", { name: "Patches" }).click();
await page.getByText("No patches.").waitFor();
await page.getByLabel(/Document of the patch/).fill("- id: [\n");
await page.getByRole("button", { name: "What would change" }).click();
await page.getByRole("alert").waitFor();
await page.getByLabel(/Document of the patch/).fill('- id: jndi\n  title: "Names are looked up"\n  mode: enforce\n  when: {contains: "jndi-test"}\n');
await page.getByRole("button", { name: "What would change" }).click();
await confirm(page);
await page.getByRole("rowheader", { name: /jndi/ }).waitFor();
check(await until(BENIGN.replace(/=[^=]*$/, "=jndi-test"), 403), "the patch blocks");
await page.getByRole("button", { name: "jndi: shadow" }).click();
await confirm(page);
await page.getByRole("button", { name: "Remove jndi" }).click();
await confirm(page);
await page.getByText("No patches.").waitFor();

// From an exploit to a patch: what it keeps and how often it is right is shown before it is added.
const asRequest = (url) => `GET ${new URL(url).pathname}${new URL(url).search} HTTP/1.1\nHost: demo.example\n\n`;
await page.getByLabel("Exploit", { exact: true }).fill("good day");
await page.getByRole("button", { name: "Propose a patch" }).click();
await page.getByRole("alert").filter({ hasText: "exploit" }).waitFor();
await page.getByLabel("Exploit", { exact: true }).fill(asRequest(ATTACK));
await page.getByText("Requests that must pass").focus();
await page.keyboard.press("Enter");
await page.getByLabel(/In one of the same forms/).fill(asRequest(BENIGN));
await page.getByLabel("Id of the patch").fill("journey-1");
await page.getByRole("button", { name: "Propose a patch" }).click();
const proposal = page.getByRole("region", { name: "Proposal" });
await proposal.waitFor();
check((await proposal.getByRole("row", { name: /Stops of the exploit/ }).textContent()).includes("1 / 1"), "the patch stops the exploit");
check((await proposal.getByRole("row", { name: /Stops of benign requests/ }).textContent()).includes("0 / 1"), "and nothing that must pass");
check((await page.getByRole("rowheader", { name: /journey-1/ }).count()) === 0, "nothing changed yet");
await axe(page, "a proposal");
await proposal.getByRole("button", { name: "Add and enforce" }).click();
check((await page.getByRole("dialog").textContent()).includes("guard patch enable journey-1 --service demo"), "the dialog tells the commands");
await confirm(page, "it is attacked");
await page.getByRole("rowheader", { name: /journey-1/ }).waitFor();
check(await page.getByRole("button", { name: "journey-1: enforce" }).isDisabled(), "the patch is enforced");
await gatesFollow(api, "demo", "block");
await status(ATTACK);
const hit = await untilSaid("a hit of the patch", () => api("/alerts?service=demo&limit=100"), ({ alerts }) => alerts.find((one) => one.findings.some((finding) => finding.patch === "journey-1")));
check(true, "the attack is a hit of the patch");
const hits = page.getByRole("row", { name: /journey-1/ }).getByRole("cell").nth(3);
let told = 0;
for (let i = 0; i < 600 && told === 0; i++) {
    told = Number((await hits.textContent()).replaceAll(",", ""));
    if (told === 0) await new Promise((resolve) => setTimeout(resolve, 100));
}
check(told > 0, `its hits stand in the list: ${told}`);
await page.goto(`${base}#/alerts/${encodeURIComponent(hit.id)}`);
await page.getByRole("link", { name: "Make a patch against it" }).click();
await page.getByText("Guard stores no values").waitFor();
check((await page.getByLabel("Exploit", { exact: true }).inputValue()).startsWith("GET /"), "a patch from an alert begins with what is known of it");
await page.getByRole("button", { name: "Remove journey-1" }).click();
await confirm(page);
await page.getByText("No patches.").waitFor();

// What the attack did in one of the pods.
put([
    [0, "gate", [REQUEST, "GET /users", "character never seen", hit.id]],
    [0, "podwatch", [DROPPED, "/tmp/miner", "/app/server", hit.id]],
]);
await page.getByRole("link", { name: "Pods", exact: true }).click();
await page.getByRole("row", { name: /web-7f9c-00000/ }).first().getByText("to be replaced").waitFor();
await page.getByRole("rowheader", { name: "web-7f9c-00000" }).getByRole("link").click();
const did = page.getByRole("row", { name: /\/tmp\/miner/ }).first();
await did.getByText("hard sign").waitFor();
check((await page.getByRole("link", { name: hit.id }).count()) > 0, "the misused pod is named, with the request that opened the door");
await axe(page, "a misused pod");
await did.getByRole("button", { name: /^Refuse/ }).click();
await confirm(page, "nobody deploys that");
await did.getByText("never normal").waitFor();

// The document of the service: what is wrong is named, what would change is shown before.
await page.getByRole("link", { name: "Guardian" }).click();
// Another mode and a smaller budget, before they are set.
await page.getByRole("button", { name: "Look", exact: true }).click();
const would = page.getByRole("region", { name: "What would have been blocked" });
await would.waitFor();
const words = (await would.textContent()).match(/Would have blocked ?([0-9,]+)/);
check(words !== null && Number(words[1].replaceAll(",", "")) > 0, `the attacks would have been blocked: ${words?.[1]}`);
check((await would.getByRole("link").count()) > 0, "the newest of them are shown");
await axe(page, "a preview of settings");
await page.getByLabel("Mode").last().selectOption("alert");
await page.getByLabel(/False blocks per request/).fill("0.00001");
await page.getByLabel(/False blocks per request/).press("Enter");
await page.getByText(/Would have blocked ?0/).or(would.filter({ hasText: /blocked ?0( |$)/ })).first().waitFor();
check((await would.textContent()).includes("0.00001"), "the budget that was asked for is told");
const document = page.getByRole("textbox", { name: "Document" });
const text = await document.inputValue();
await document.fill(`${text}nonsense: 1\n`);
await page.getByRole("button", { name: "Preview" }).click();
await page.getByText(/nonsense/).last().waitFor();
await document.fill(text.includes("falseAlarmBudget") ? text.replace(/falseAlarmBudget: .*/, "falseAlarmBudget: 0.00001") : text.replace("control:", "control:\n  falseAlarmBudget: 0.00001"));
await page.getByRole("button", { name: "Preview" }).click();
check((await page.getByRole("dialog").textContent()).includes("falseAlarmBudget"), "the preview tells what would change");
await confirm(page);

await page.getByRole("link", { name: "Settings" }).click();
await page.getByLabel("Name", { exact: true }).fill("ann");
await page.getByRole("button", { name: "Add a token" }).click();
await confirm(page);
check(/guard_[0-9a-f]{16}_/.test(await page.getByText(/guard_[0-9a-f]{16}_/).textContent()), "the token is shown");
await page.getByText("falseAlarmBudget").first().waitFor(); // the audit tells of all that was done
check((await page.getByText("a bad release").count()) > 0 && (await page.getByText("nobody deploys that").count()) > 0, "the audit has the reasons");
await axe(page, "the settings");
await page.getByRole("button", { name: "Remove ann", exact: true }).click();
await confirm(page);
await page.getByRole("button", { name: "Log out" }).click();
await page.getByText("You are logged out.").waitFor();
await page.reload();
await page.getByLabel("Token").waitFor();
await axe(page, "the login");
// 401 of who isn't logged in, and 422 of what was refused, are told by the browser itself.
const real = faults.filter((one) => !/status of (401|422|404)/.test(one));
check(real.length === 0, `nothing is wrong on the console: ${real.join("; ")}`);
await browser.close();
