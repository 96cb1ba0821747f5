// Compiles the contracts and writes one artifact for each contract in src, validators and test, as
// {"abi", "bytecode", "deployedBytecode", "immutableReferences"}; the last says at which bytes of the deployed code the
// constructor put a value, where the artifact has zeros, so that code on a chain can be compared with it. With --check it
// writes nothing, names the artifacts that are not what the sources give, and fails if there are any; and it fails if the
// interfaces do not stand alone (build/interfaces.js). Same sources and compiler, same bytes: the metadata hash is left
// out.
"use strict";

const fs = require("fs");
const path = require("path");
const solc = require("solc");
const { checkInterfaces } = require("./interfaces");

const root = path.join(__dirname, "..");

// Where sources are, and where their artifacts go.
const folders = [
  { sources: "interfaces", artifacts: "artifacts" },
  { sources: "src", artifacts: "artifacts" },
  { sources: "validators", artifacts: "artifacts" },
  { sources: "test", artifacts: "artifacts/test" },
];

const settings = {
  evmVersion: "prague",
  // Verification is paid for often, deployment once.
  optimizer: { enabled: true, runs: 20000 },
  viaIR: true,
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: {
    "*": {
      "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"],
    },
  },
};

// 2394: transient storage outlives a call. Epochs.sol marks with a number that is never used twice.
const accepted = new Set(["2394"]);

// The limit of EIP-170.
const maxCodeBytes = 24576;

function readSources() {
  const sources = {};
  for (const folder of folders) {
    for (const name of fs.readdirSync(path.join(root, folder.sources)).sort()) {
      // Tests (.t.sol) are for forge, and have no artifact.
      if (!name.endsWith(".sol") || name.endsWith(".t.sol")) continue;
      const file = `${folder.sources}/${name}`;
      sources[file] = { content: fs.readFileSync(path.join(root, file), "utf8") };
    }
  }
  return sources;
}

function compile() {
  const input = { language: "Solidity", sources: readSources(), settings };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const problems = (output.errors || []).filter(({ errorCode }) => !accepted.has(errorCode));
  for (const problem of problems) console.error(problem.formattedMessage);
  // Warnings too: what the compiler doubts does not go on L1.
  if (problems.length > 0) process.exit(1);
  return output.contracts;
}

// The text of every artifact, by its path. Libraries, interfaces and abstract contracts have no code of their own.
function artifacts(contracts) {
  const files = new Map();
  for (const [source, byName] of Object.entries(contracts)) {
    const folder = folders.find(({ sources }) => source.startsWith(`${sources}/`));
    for (const [name, contract] of Object.entries(byName)) {
      const deployed = contract.evm.deployedBytecode.object;
      if (deployed === "" || !contract.abi.some(({ type }) => type === "function")) continue;
      if (deployed.length / 2 > maxCodeBytes) {
        console.error(`${name}: ${deployed.length / 2} bytes of code, at most ${maxCodeBytes} allowed`);
        process.exit(1);
      }
      const artifact = {
        abi: contract.abi,
        bytecode: `0x${contract.evm.bytecode.object}`,
        deployedBytecode: `0x${deployed}`,
        immutableReferences: Object.values(contract.evm.deployedBytecode.immutableReferences || {})
          .flat()
          .sort((a, b) => a.start - b.start),
      };
      files.set(`${folder.artifacts}/${name}.json`, `${JSON.stringify(artifact, null, 2)}\n`);
    }
  }
  return files;
}

function existing() {
  const files = [];
  for (const folder of folders) {
    const at = path.join(root, folder.artifacts);
    if (!fs.existsSync(at)) continue;
    for (const name of fs.readdirSync(at)) if (name.endsWith(".json")) files.push(`${folder.artifacts}/${name}`);
  }
  return files;
}

function check(files) {
  const stale = [];
  for (const [file, text] of files) {
    const at = path.join(root, file);
    if (!fs.existsSync(at)) stale.push(`${file} is missing`);
    else if (fs.readFileSync(at, "utf8") !== text) stale.push(`${file} is stale`);
  }
  for (const file of existing()) if (!files.has(file)) stale.push(`${file} has no source`);
  for (const line of stale) console.error(line);
  if (stale.length > 0) console.error("run `npm run build` in contracts/ and commit what it writes");
  return stale.length === 0;
}

function write(files) {
  for (const file of existing()) if (!files.has(file)) fs.rmSync(path.join(root, file));
  for (const [file, text] of files) {
    const at = path.join(root, file);
    fs.mkdirSync(path.dirname(at), { recursive: true });
    fs.writeFileSync(at, text);
    const { deployedBytecode } = JSON.parse(text);
    console.log(`${file}: ${deployedBytecode.length / 2 - 1} bytes of code`);
  }
}

const files = artifacts(compile());
if (process.argv.includes("--check")) {
  const alone = checkInterfaces(root);
  process.exit(check(files) && alone ? 0 : 1);
} else {
  write(files);
}
