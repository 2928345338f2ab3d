// SPDX-License-Identifier: Apache-2.0
// Roles, sessions that end, and answers that are no good: each is said, and nothing hangs or is done by halves.
import { check, confirm, open } from "./browser.mjs";
import { until } from "./waiting.mjs";

const { CONSOLE, VIEWER, OPERATOR, LOGIN } = process.env;
const { browser, context, page, faults } = await open();

await page.goto(LOGIN);
await page.getByRole("heading", { name: "Overview" }).waitFor();
const first = (await context.cookies())[0].value;
await page.goto("about:blank");
await context.clearCookies();
await page.goto(LOGIN);
await page.getByText("used already").waitFor();
check(true, "a login address is good once");

// Pasted into a tab that is open already: whoever is logged out gets in, whoever is logged in is asked.
await page.evaluate((hash) => (location.hash = hash), process.env.LOGIN_AGAIN.split("#")[1]);
await page.getByRole("heading", { name: "Overview" }).waitFor();
check(!page.url().includes("login="), "a login address that is pasted into an open tab logs in, and leaves the address");
await page.evaluate((hash) => (location.hash = hash), `login=${"0".repeat(64)}`);
await page.getByText("You are logged in already").waitFor();
await page.getByRole("button", { name: "Stay who I am" }).click();
await page.getByText("You are logged in already").waitFor({ state: "detached" });
check((await page.getByRole("heading", { name: "Overview" }).count()) === 1, "nobody becomes somebody else unasked");
await page.goto("about:blank");
await page.setContent(`<iframe src="${CONSOLE}/console/"></iframe>`);
await until("the page that the frame got instead", () => page.frames()[1]?.url(), (url) => /^chrome-error:|^http/.test(url));
check(page.frames()[1].url().startsWith("chrome-error:"), "no page may frame the console");
await page.goto("about:blank");
await context.clearCookies();
await page.goto(`${CONSOLE}/console/`);
await page.getByLabel("Token").waitFor();

// Whoever plants a session's cookie gets nowhere: a login makes a new one.
await page.evaluate(() => (document.cookie = `__Host-guard=${"f".repeat(64)}; Secure; Path=/`));
await page.goto("about:blank");
await page.goto(`${CONSOLE}/console/`);
check((await context.cookies())[0].value === "f".repeat(64), "a cookie is planted");
await page.getByLabel("Token").fill("guard_0000000000000000_" + "A".repeat(43));
await page.getByRole("button", { name: "Log in" }).click();
await page.getByText("This token isn't valid.").waitFor();
await page.getByLabel("Token").fill(VIEWER);
await page.getByRole("button", { name: "Log in" }).click();
await page.getByRole("heading", { name: "Overview" }).waitFor();
const planted = (await context.cookies())[0];
check(planted.value !== "f".repeat(64) && planted.value !== first && planted.httpOnly && planted.secure && planted.sameSite === "Strict", "a login makes a new cookie, closed to scripts and to other sites");

// A viewer sees, and is offered nothing that would be refused.
await page.getByRole("link", { name: /^demo/ }).click();
await page.getByRole("heading", { name: "Endpoints" }).waitFor();
check((await page.getByRole("button", { name: /block|Bypass|Pause/ }).count()) === 0, "a viewer can't change modes");
await page.goto(`${CONSOLE}/console/#/services/nowhere`);
await page.getByRole("heading", { level: 1, name: "No such service" }).waitFor();
await page.getByRole("link", { name: "All services" }).click();
await page.getByRole("link", { name: /^demo/ }).click();
await page.getByRole("link", { name: "Guardian" }).click();
await page.getByText("Your role may read it.").waitFor();
await page.getByRole("link", { name: "Settings" }).click();
await page.getByRole("heading", { name: "About" }).waitFor();
check((await page.getByRole("heading", { name: /tokens|Audit/ }).count()) === 0, "a viewer sees no tokens and no audit");
const forbidden = await page.evaluate(() => fetch("/api/v1/services/demo/mode", { method: "PUT", headers: { "X-Guard-Console": "1", "Content-Type": "application/json" }, body: '{"mode":"observe"}' }).then((answer) => answer.status));
check(forbidden === 403, "and the API refuses what the page doesn't offer");
const forged = await page.evaluate(() => fetch("/api/v1/session", { method: "DELETE" }).then((answer) => answer.status));
check(forged === 403, "a change without the console's header is refused");
await page.getByRole("button", { name: "Log out" }).click();
await page.getByText("You are logged out.").waitFor();

await page.getByLabel("Token").fill(OPERATOR);
await page.getByRole("button", { name: "Log in" }).click();
await page.getByRole("heading", { name: "Settings" }).waitFor();
check(true, "who logs in again goes on where they were");

// Answers that are no good.
const bad = [
    [{ status: 200, contentType: "application/json", body: '{"services":[{"service":' }, "The answer was no good"],
    [{ status: 200, contentType: "text/html", body: "<html>hello</html>" }, "The answer was no good"],
    [{ status: 200, contentType: "application/json", body: "{}" }, "The answer was no good"],
    [{ status: 502, contentType: "text/html", body: "<h1>Bad Gateway</h1>" }, "guardd is busy"],
    [{ status: 503, contentType: "application/problem+json", body: '{"detail":"later"}' }, "guardd is busy"],
    [{ status: 403, contentType: "application/problem+json", body: '{"detail":"no"}' }, "Your role doesn't allow this"],
    [{ status: 500, contentType: "application/problem+json", body: "" }, "The answer was no good"],
];
for (const [answer, said] of bad) {
    await page.route(/\/api\/v1\/services\?/, (route) => route.fulfill(answer));
    await page.goto(`${CONSOLE}/console/#/settings`);
    await page.goto(`${CONSOLE}/console/#/`);
    await page.getByText(said).first().waitFor();
    await page.unroute(/\/api\/v1\/services\?/);
    check(true, `${answer.status} ${answer.contentType}: ${said}`);
}
await page.route(/\/api\/v1\/services\?/, (route) => route.abort());
await page.goto(`${CONSOLE}/console/#/settings`);
await page.goto(`${CONSOLE}/console/#/`);
await page.getByText("guardd can't be reached").waitFor();
await page.unroute(/\/api\/v1\/services\?/);
await page.getByRole("button", { name: "Try again" }).click();
await page.getByRole("link", { name: /^demo/ }).waitFor();
check(true, "after trying again it is there");

// Slow: something is said meanwhile, and a second yes isn't a second change.
let asked = 0;
let release;
const held = new Promise((resolve) => (release = resolve));
await page.route(/\/demo\/learning$/, async (route) => {
    asked++;
    await held;
    await route.continue();
});
await page.getByRole("link", { name: /^demo/ }).click();
await page.getByRole("button", { name: "Pause learning" }).click();
const dialog = page.getByRole("dialog");
await dialog.getByLabel("Reason").fill("slow");
await dialog.getByRole("button", { name: "Do it" }).click();
await dialog.getByRole("button", { name: "Doing…" }).waitFor();
check(await dialog.getByRole("button", { name: "Doing…" }).isDisabled(), "meanwhile it can't be asked for again");
release();
await dialog.waitFor({ state: "hidden" });
check(asked === 1, "it was asked for once");
await page.getByRole("button", { name: "Resume learning" }).click();
await confirm(page);

// The session ends in the middle of something.
await page.getByRole("button", { name: "observe" }).click();
await page.getByRole("dialog").getByRole("button", { name: "Do it" }).waitFor();
await context.clearCookies();
await page.getByRole("dialog").getByRole("button", { name: "Do it" }).click({ timeout: 5000 }).catch(() => {}); // the page may have noticed before
await page.getByText("Your session is over").waitFor();
check(true, "a session that is over is said");
const framed = faults.filter((one) => one.includes("frame-ancestors"));
check(framed.length <= 1, `only the page that frames the console is told so: ${framed.join("; ")}`);
const real = faults.filter((one) => !framed.includes(one) && !/status of (4|5)\d\d|ERR_FAILED|MIME type|EventSource/.test(one));
check(real.length === 0, `nothing is wrong on the console: ${real.join("; ")}`);
await browser.close();
