// Prints every function with a body below a folder, as the TypeScript compiler finds them, as JSON.
import fs from "node:fs";
import path from "node:path";
import ts from "typescript";

const folder = process.argv[2];
const functions = [];

function* files(at) {
  for (const entry of fs.readdirSync(at, { withFileTypes: true })) {
    const full = path.join(at, entry.name);
    if (entry.isDirectory()) yield* files(full);
    else if (/\.([mc]?ts|tsx)$/.test(entry.name) && !/\.d\.[mc]?ts$/.test(entry.name)) yield full;
  }
}

for (const file of files(folder)) {
  const source = ts.createSourceFile(file, fs.readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
  const line = (at) => source.getLineAndCharacterOfPosition(at).line + 1;
  const todo = [source];
  while (todo.length > 0) {
    const node = todo.pop();
    if ((ts.isFunctionLike(node) && node.body) || ts.isClassStaticBlockDeclaration(node)) {
      functions.push({ path: file, line: line(node.getStart(source)), end: line(node.getEnd()) });
    }
    ts.forEachChild(node, (child) => void todo.push(child));
  }
}
console.log(JSON.stringify({ version: ts.version, functions }));
