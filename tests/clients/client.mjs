// The TypeScript client `@modelcontextprotocol/sdk`: lists every tool and calls each, over every transport; it checks
// every answer against the output schema of its tool by itself.
//
// usage: client.mjs PROGRAM ROOT URL

import { follow, load, program, root, url } from './steps.mjs';

const { Client } = load('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = load('@modelcontextprotocol/sdk/client/stdio.js');
const { StreamableHTTPClientTransport } = load('@modelcontextprotocol/sdk/client/streamableHttp.js');
const { SSEClientTransport } = load('@modelcontextprotocol/sdk/client/sse.js');

const transports = {
    stdio: () => new StdioClientTransport({ command: program, args: ['serve', '--root', root] }),
    http: () => new StreamableHTTPClientTransport(new URL('/mcp', url)),
    sse: () => new SSEClientTransport(new URL('/sse', url)),
};

for (const [name, open] of Object.entries(transports)) {
    const client = new Client({ name: 'test', version: '0' });
    const transport = open();
    await client.connect(transport);
    await follow(name, (request, options) => client.callTool(request, undefined, options), client);
    await transport.terminateSession?.();
    await client.close();
}
