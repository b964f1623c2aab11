// The TypeScript client `@modelcontextprotocol/client`, which speaks both ways: with `initialize`, and stateless.
//
// usage: client-next.mjs PROGRAM ROOT

import { follow, load, program, root } from './steps.mjs';

const { Client } = load('@modelcontextprotocol/client');
const { StdioClientTransport } = load('@modelcontextprotocol/client/stdio');

for (const mode of ['legacy', 'auto', { pin: '2026-07-28' }]) {
    const client = new Client({ name: 'test', version: '0' }, { versionNegotiation: { mode } });
    await client.connect(new StdioClientTransport({ command: program, args: ['serve', '--root', root] }));
    await follow(client);
    await client.close();
}
