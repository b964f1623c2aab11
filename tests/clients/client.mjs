// The TypeScript client `@modelcontextprotocol/sdk`: lists every tool and calls each; it checks every answer against
// the output schema of its tool by itself.
//
// usage: client.mjs PROGRAM ROOT

import { follow, load, program, root } from './steps.mjs';

const { Client } = load('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = load('@modelcontextprotocol/sdk/client/stdio.js');

const client = new Client({ name: 'test', version: '0' });
await client.connect(new StdioClientTransport({ command: program, args: ['serve', '--root', root] }));
await follow(client);
await client.close();
