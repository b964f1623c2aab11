"""The Python client `mcp` reads a result of several MiB, part by part, over every transport.

usage: large.py PROGRAM ROOT URL
"""

import asyncio
import json
import sys

from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters


async def read(transport: str, server, mode: str) -> None:
    async with Client(server, mode=mode, read_timeout_seconds=300) as client:
        made = await client.call_tool("create_session", {"label": "large"})
        session = made.structured_content["data"]["session_id"]
        # As large as an answer may be, text and structure in one message.
        called = await client.call_tool("analyze_complexity", {
            "session_id": session, "limit": 1000, "max_bytes": 300_000, "detail": "full"})
        assert not called.is_error, called.content
        envelope = called.structured_content
        result, total = envelope["context"]["result_id"], envelope["page"]["total"]
        templates = [template.uri_template for template in (await client.list_resource_templates()).resource_templates]
        uri = templates[0].replace("{session_id}", session).replace("{result_id}", result)
        names, parts, size = set(), 0, 0
        while uri:
            text = (await client.read_resource(uri)).contents[0].text
            part = json.loads(text)
            assert part["result_id"] == result, part
            names.update(row["qualified_name"] for row in part["data"].get("functions", []))
            parts, size, uri = parts + 1, size + len(text), part["next"]
        assert len(names) == total, (len(names), total)
        assert size > 1_100_000, size
        await client.call_tool("close_session", {"session_id": session})
        print(f"{transport} {client.protocol_version}: read {total} rows")


async def main() -> None:
    program, root, url = sys.argv[1:]
    await read("stdio", StdioServerParameters(command=program, args=["serve", "--root", root]), "legacy")
    for mode in ("legacy", "auto"):
        await read("http", f"{url}/mcp", mode)
    await read("sse", sse_client(f"{url}/sse"), "legacy")


asyncio.run(main())
