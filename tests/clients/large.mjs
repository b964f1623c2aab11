// Both TypeScript clients read a result of several MiB, part by part, over every transport.
//
// usage: large.mjs PROGRAM ROOT URL PACKAGE

import { load, program, root, url } from './steps.mjs';

const name = process.argv[5];
const isNext = name === '@modelcontextprotocol/client';
const main = load(isNext ? name : `${name}/client/index.js`);
const { StdioClientTransport } = load(isNext ? `${name}/stdio` : `${name}/client/stdio.js`);
const { StreamableHTTPClientTransport } = isNext ? main : load(`${name}/client/streamableHttp.js`);
const { SSEClientTransport } = isNext ? main : load(`${name}/client/sse.js`);

const transports = {
    stdio: () => new StdioClientTransport({ command: program, args: ['serve', '--root', root] }),
    http: () => new StreamableHTTPClientTransport(new URL('/mcp', url)),
    sse: () => new SSEClientTransport(new URL('/sse', url)),
};

for (const [transport, open] of Object.entries(transports)) {
    const client = new main.Client({ name: 'test', version: '0' });
    const options = { timeout: 300_000 };
    await client.connect(open());
    const call = async (tool, given) => {
        const request = { name: tool, arguments: given };
        const answer = await (isNext ? client.callTool(request, options) : client.callTool(request, undefined, options));
        if (answer.isError) throw new Error(JSON.stringify(answer.content));
        return answer.structuredContent;
    };
    const session = (await call('create_session', { label: 'large' })).data.session_id;
    const { context, page } = await call('analyze_complexity', { session_id: session, limit: 1 });
    const names = new Set();
    let uri = `analysis://sessions/${session}/results/${context.result_id}`;
    while (uri) {
        const { contents } = await client.readResource({ uri }, options);
        const part = JSON.parse(contents[0].text);
        for (const row of part.data.functions ?? []) names.add(row.qualified_name);
        uri = part.next;
    }
    if (names.size !== page.total) throw new Error(`${names.size} of ${page.total} rows`);
    await call('close_session', { session_id: session });
    await client.close();
    console.log(`${transport}: read ${page.total} rows`);
}
