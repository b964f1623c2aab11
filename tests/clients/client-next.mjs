// The TypeScript client `@modelcontextprotocol/client`, which speaks both ways: with `initialize`, and stateless.
//
// usage: client-next.mjs PROGRAM ROOT URL

import { follow, load, program, root, url } from './steps.mjs';

const { Client, SSEClientTransport, StreamableHTTPClientTransport } = load('@modelcontextprotocol/client');
const { StdioClientTransport } = load('@modelcontextprotocol/client/stdio');

const transports = {
    stdio: () => new StdioClientTransport({ command: program, args: ['serve', '--root', root] }),
    http: () => new StreamableHTTPClientTransport(new URL('/mcp', url)),
    sse: () => new SSEClientTransport(new URL('/sse', url)),
};

async function talk(name, mode) {
    const client = new Client({ name: 'test', version: '0' }, { versionNegotiation: { mode } });
    const transport = transports[name]();
    await client.connect(transport);
    const version = client.getNegotiatedProtocolVersion();
    await follow(`${name} ${version}`, (request, options) => client.callTool(request, options), client);
    if (mode === 'legacy') await transport.terminateSession?.();
    await client.close();
}

for (const mode of ['legacy', 'auto', { pin: '2026-07-28' }]) {
    await talk('stdio', mode);
    await talk('http', mode);
}
await talk('sse', 'legacy');
