#!/usr/bin/env node
// Mutation testing of the contracts: each mutant of scripts/mutants.json changes one line of contracts/src in a scratch
// copy, which must then fail the Solidity tests, or else the Rust tests of the bytecode. Prints each mutant's fate and
// fails if one survives that the list does not explain. It takes hours, so it is no part of `make test`.
// Usage: scripts/mutants.js [--only WORD] [--from NUMBER] [--to NUMBER] [--numbers 1,2,3] [--no-rust]
"use strict";

const fs = require("fs");
const os = require("os");
const path = require("path");
const { spawnSync } = require("child_process");

const root = path.join(__dirname, "..");
const contracts = path.join(root, "contracts");
const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);

const listed = JSON.parse(fs.readFileSync(path.join(__dirname, "mutants.json"), "utf8"));
const only = option("--only", "");
const numbers = option("--numbers", "").split(",").filter(Boolean).map(Number);
const mutants = listed
  .map((mutant, index) => ({ ...mutant, number: index + 1 }))
  .filter(({ number }) => numbers.length === 0 || numbers.includes(number))
  .filter(({ file, line, number }) => `${file}: ${line}`.includes(only) && number >= option("--from", 1) && number <= option("--to", Infinity));

// One run of everything takes minutes; a compiler or test that hangs must not take for ever.
const limitMs = 30 * 60 * 1000;
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-mutants-"));
process.on("exit", () => fs.rmSync(scratch, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

function run(command, args, cwd, env = {}) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(FOUNDRY|DAPP)_/.test(name)));
  const options = { cwd, env: { ...clean, ...env }, encoding: "utf8", timeout: limitMs, maxBuffer: 1 << 28 };
  const { status, stdout, stderr } = spawnSync(command, args, options);
  return { status, said: `${stdout}${stderr}` };
}

function copyContracts() {
  const copy = path.join(scratch, "contracts");
  fs.mkdirSync(copy);
  for (const name of ["src", "interfaces", "examples", "validators", "test", "build", "artifacts", "foundry.toml", "package.json"]) {
    fs.cpSync(path.join(contracts, name), path.join(copy, name), { recursive: true });
  }
  fs.symlinkSync(path.join(contracts, "node_modules"), path.join(copy, "node_modules"));
  fs.symlinkSync(path.join(root, "testdata"), path.join(scratch, "testdata"));
  return copy;
}

// The text of a file with the mutant's line replaced; the line must stand there, as often as the list says.
function mutated(text, { file, line, replacement, occurrence }) {
  const lines = text.split("\n");
  const found = lines.flatMap((each, index) => (each.trim() === line ? [index] : []));
  if (occurrence === undefined ? found.length !== 1 : found[occurrence] === undefined) {
    throw new Error(`${file}: ${JSON.stringify(line)} stands there ${found.length} times`);
  }
  const at = found[occurrence || 0];
  lines[at] = lines[at].replace(line, () => replacement);
  return lines.join("\n");
}

// The comparison with the committed artifacts tells any change, and so does gas to the unit: they are left out. What a mutant
// leaves unused is a warning, and no reason to leave the mutant out.
function solidityKills(copy) {
  const forge = path.join(copy, "node_modules/.bin/forge");
  const args = ["test", "--fail-fast", "--no-match-test", "the_bytecode_under_test"];
  const env = { FOUNDRY_FUZZ_RUNS: "32", FOUNDRY_DENY: "never" };
  // All of it: a run with a filter compiles only what the tests it runs import.
  const built = run(forge, ["build"], copy, env);
  if (/Compiler run failed/.test(built.said)) return compileError(built.said);
  const { said } = run(forge, args, copy, env);
  return /[1-9][0-9]* tests passed, 0 failed/.test(said) ? null : "solidity";
}

function rustKills(copy) {
  const built = run("node", ["build/compile.js"], copy);
  if (built.status !== 0) return compileError(built.said);
  const args = ["test", "--release", "--locked", "-p", "holdfast-contracts", "--test", "bytecode", "--", "--skip", "gas_is_what_the_snapshot_says"];
  const { status } = run("cargo", args, root, { HOLDFAST_ARTIFACTS: path.join(copy, "artifacts") });
  return status === 0 ? null : "rust";
}

function compileError(said) {
  throw new Error(`a mutant that does not compile says nothing:\n${said.slice(0, 2000)}`);
}

const copy = copyContracts();
if (solidityKills(copy) !== null) throw new Error("the tests fail without any mutant");
const counts = {};
let unexplained = 0;
for (const mutant of mutants) {
  const file = path.join(copy, "src", mutant.file);
  const original = fs.readFileSync(file, "utf8");
  fs.writeFileSync(file, mutated(original, mutant));
  let fate;
  try {
    fate = solidityKills(copy) || (process.argv.includes("--no-rust") ? null : rustKills(copy));
  } catch (error) {
    fate = `no mutant (${error.message.split("\n").slice(0, 4).join(" ")})`;
  }
  fs.writeFileSync(file, original);
  if (fate === null) fate = mutant.survives ? "equivalent" : "SURVIVED";
  if (fate === "SURVIVED" || fate.startsWith("no mutant")) ++unexplained;
  const kind = fate.split(" (")[0];
  counts[kind] = (counts[kind] || 0) + 1;
  console.log(`${mutant.number}\t${fate}\t${mutant.file}: ${mutant.line} -> ${mutant.replacement || "(nothing)"}`);
  if (fate === "equivalent") console.log(`\t\t${mutant.survives}`);
}
console.log(Object.entries(counts).map(([fate, count]) => `${count} ${fate}`).join(", "));
process.exitCode = unexplained === 0 ? 0 : 1;
