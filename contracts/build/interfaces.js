// What others import: contracts/interfaces and contracts/examples. They must compile without src, by the oldest compiler
// that their pragma allows and by the one that the registry is built with, and say of every function and event what each
// parameter is.
"use strict";

const fs = require("fs");
const path = require("path");

// Where they are in the npm package, and the compilers to try them with.
const folders = ["interfaces", "examples"];
const compilers = ["solc", "solc-oldest"];

// Whether they are as they should be; says what is not.
function checkInterfaces(root) {
  const sources = {};
  for (const folder of folders) {
    for (const name of fs.readdirSync(path.join(root, folder)).sort()) {
      sources[`${folder}/${name}`] = { content: fs.readFileSync(path.join(root, folder, name), "utf8") };
    }
  }
  const settings = { outputSelection: { "*": { "*": ["abi", "devdoc", "userdoc"] } } };
  const input = JSON.stringify({ language: "Solidity", sources, settings });
  const problems = [];
  for (const name of compilers) {
    const compiler = require(name);
    const output = JSON.parse(compiler.compile(input));
    for (const { formattedMessage } of output.errors || []) problems.push(`${compiler.version()}: ${formattedMessage}`);
    if (name === "solc" && problems.length === 0) problems.push(...undocumented(output.contracts));
  }
  for (const problem of problems) console.error(problem);
  return problems.length === 0;
}

// What has no words: functions, events and errors, their parameters and what functions return. An error's own parameters
// are named so that its sentence suffices.
function undocumented(contracts) {
  const missing = [];
  for (const [file, byName] of Object.entries(contracts)) {
    if (!file.startsWith("interfaces/")) continue;
    for (const [contract, { abi, devdoc, userdoc }] of Object.entries(byName)) {
      for (const item of abi) {
        const signature = `${item.name}(${item.inputs.map(canonical).join(",")})`;
        const where = `${file}: ${contract}.${signature}`;
        const said = (userdoc[kinds[item.type]] || {})[signature];
        if (!(Array.isArray(said) ? said[0] : said)?.notice) missing.push(`${where} has no description`);
        if (item.type === "error") continue;
        const detail = (devdoc[kinds[item.type]] || {})[signature] || {};
        for (const { name } of item.inputs) {
          if (!(detail.params || {})[name]) missing.push(`${where}: parameter ${name} has no description`);
        }
        for (const { name } of item.outputs || []) {
          if (!(detail.returns || {})[name]) missing.push(`${where}: returned value ${name} has no description`);
        }
      }
    }
  }
  return missing;
}

const kinds = { function: "methods", event: "events", error: "errors" };

function canonical({ type, components }) {
  return components ? `(${components.map(canonical).join(",")})${type.slice("tuple".length)}` : type;
}

module.exports = { checkInterfaces };
