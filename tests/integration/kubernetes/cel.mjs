// SPDX-License-Identifier: Apache-2.0
// Evaluates rules of definitions by an implementation of CEL that passes the language's own conformance tests. Each line of
// standard input is a list of {rule, self}, answered by a line with a list of true, false and texts that say what is wrong with a rule. `node cel.mjs FILE-BESIDE-NODE_MODULES`.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { celEnv, isCelError, parse, plan } = createRequire(process.argv[2])("@bufbuild/cel");

// As the API server has it: whole numbers are int, and members with a reserved word's name are escaped.
function value(node) {
  if (typeof node === "number" && Number.isInteger(node)) return BigInt(node);
  if (Array.isArray(node)) return node.map(value);
  if (node === null || typeof node !== "object") return node;
  return Object.fromEntries(Object.entries(node).map(([name, child]) => [name === "in" ? "__in__" : name, value(child)]));
}

const plans = new Map();
function evaluate({ rule, self }) {
  try {
    if (!plans.has(rule)) plans.set(rule, plan(celEnv({}), parse(rule)));
    const said = plans.get(rule)({ self: value(self) });
    return isCelError(said) || typeof said !== "boolean" ? String(said) : said;
  } catch (error) {
    return String(error);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(JSON.parse(line).map(evaluate))}\n`);
}
