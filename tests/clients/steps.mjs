// The plan that every client follows, and how a client is loaded from CLIENT_PACKAGES.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const plan = JSON.parse(readFileSync(new URL('plan.json', import.meta.url), 'utf8'));

export const load = createRequire(join(process.env.CLIENT_PACKAGES, '..', 'load.js'));

export const [program, root, url] = process.argv.slice(2);

export async function follow(name, call, client) {
    const listed = new Set((await client.listTools()).tools.map((tool) => tool.name));
    const kept = {};
    const called = new Set();
    let heard = 0;
    const options = { onprogress: () => (heard += 1) };
    for (const step of plan) {
        const given = Object.entries(step.arguments).map(([name, value]) => [name, kept[value] ?? value]);
        const result = await call({ name: step.tool, arguments: Object.fromEntries(given) }, options);
        if (result.isError) throw new Error(`${step.tool}: ${JSON.stringify(result.content)}`);
        for (const [name, path] of Object.entries(step.keep ?? {})) {
            kept[name] = path.reduce((value, part) => value[part], result.structuredContent);
            if (!kept[name]) throw new Error(`${step.tool} gave no ${path.join('.')}`);
        }
        called.add(step.tool);
    }
    const missed = [...listed].filter((name) => !called.has(name));
    if (missed.length > 0) throw new Error(`not called: ${missed}`);
    if (heard === 0) throw new Error('no progress was heard');
    console.log(`${name}: called ${called.size} of ${listed.size} tools`);
}
