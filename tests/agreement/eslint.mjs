// Prints ESLint's `complexity` of every function below a folder, as JSON.
import fs from "node:fs";
import path from "node:path";
import { ESLint, Linter } from "eslint";
import parser from "@typescript-eslint/parser";

const folder = process.argv[2];
const linter = new Linter({ configType: "flat" });
const functions = [];

function* files(at) {
  for (const entry of fs.readdirSync(at, { withFileTypes: true })) {
    const full = path.join(at, entry.name);
    if (entry.isDirectory()) yield* files(full);
    else if (/\.(js|mjs|cjs|jsx|ts|mts|cts|tsx)$/.test(entry.name)) yield full;
  }
}

function config(file) {
  const typed = /\.([mc]?ts|tsx)$/.test(file);
  return {
    files: ["**/*.{js,mjs,cjs,jsx,ts,mts,cts,tsx}"],
    rules: { complexity: ["error", 0] },
    linterOptions: { noInlineConfig: true },
    languageOptions: {
      ecmaVersion: "latest",
      sourceType: file.endsWith(".cjs") ? "commonjs" : "module",
      ...(typed ? { parser } : {}),
      parserOptions: { ecmaFeatures: { jsx: !/\.[mc]?ts$/.test(file) } },
    },
  };
}

// ESLint points at the `=>`: where does its function start?
function arrowStarts(source) {
  const starts = new Map();
  const todo = source?.ast ? [source.ast] : [];
  while (todo.length > 0) {
    const node = todo.pop();
    if (node.type === "ArrowFunctionExpression") {
      const arrow = source.getTokenBefore(node.body, (token) => token.value === "=>");
      if (arrow) starts.set(`${arrow.loc.start.line}:${arrow.loc.start.column + 1}`, node.loc.start.line);
    }
    for (const key of source.visitorKeys[node.type] ?? []) {
      for (const child of [node[key]].flat()) if (child) todo.push(child);
    }
  }
  return starts;
}

for (const file of files(folder)) {
  const text = fs.readFileSync(file, "utf8");
  let found = linter.verify(text, config(file), { filename: path.relative(folder, file) });
  if (found.some((message) => message.fatal)) {
    found = linter.verify(text, { ...config(file), languageOptions: { ecmaVersion: "latest", sourceType: "script" } }, { filename: path.relative(folder, file) });
  }
  const starts = arrowStarts(linter.getSourceCode());
  for (const message of found) {
    const match = /has a complexity of (\d+)/.exec(message.message);
    if (message.ruleId === "complexity" && match && !/^Class (field|static)/.test(message.message)) {
      functions.push({ path: file, line: starts.get(`${message.line}:${message.column}`) ?? message.line, column: message.column, complexity: Number(match[1]), message: message.message });
    }
  }
}
console.log(JSON.stringify({ version: ESLint.version, functions }));
