// SPDX-License-Identifier: Apache-2.0
// Every page, whatever else is on it: axe finds nothing, in the light and in the dark scheme.
import { axe, check, open, untilSo } from "./browser.mjs";
import { get } from "./traffic.mjs";

const { CONSOLE, LOGIN, ATTACK } = process.env;
const { browser, page, faults } = await open({ dark: true });

await page.goto(`${CONSOLE}/console/`);
await page.getByLabel("Token").waitFor();
await axe(page, "the login");
await page.goto(LOGIN);
await page.getByRole("heading", { name: "Overview" }).waitFor();
// In a field that nobody else attacked: of what repeats guardd names some only, once a minute.
const attack = (await get(`${new URL(ATTACK).origin}/schemes?s${Date.now()}=${encodeURIComponent("' or 1=1--")}`)).headers["x-guard-id"];
check(attack !== undefined, "the attack is answered with its id");
const tabs = ["learned", "review", "patches", "generations", "clients", "pods", "exceptions", "guardian"];
for (const place of ["", "alerts", "alerts?client=nobody", ...tabs.map((tab) => `services/demo/${tab}`), "settings", "services/nowhere", "alerts/nowhere", "nonsense"]) {
    await page.goto(`${CONSOLE}/console/#/${place}`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await untilSo(page, () => document.querySelector(".loading") === null, null, "it is loaded");
    await axe(page, place || "overview");
}
await untilSo(page, (id) => fetch(`/api/v1/alerts/${id}`, { headers: { "X-Guard-Console": "1" } }).then((answer) => answer.ok), attack, "the attack is told of");
await page.goto(`${CONSOLE}/console/#/alerts/${attack}`);
await page.getByRole("heading", { name: "What was it?" }).waitFor();
await axe(page, "an alert");
const real = faults.filter((one) => !/status of 40[14]/.test(one));
check(real.length === 0, `nothing is wrong on the console: ${real.join("; ")}`);
await browser.close();
