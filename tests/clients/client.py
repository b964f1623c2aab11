"""The Python client `mcp`: lists every tool and calls each, with and without `initialize`.

usage: client.py PROGRAM ROOT
"""

import asyncio
import json
import pathlib
import sys

from mcp import Client
from mcp.client.stdio import StdioServerParameters

PLAN = json.loads((pathlib.Path(__file__).parent / "plan.json").read_text())


async def talk(program: str, root: str, mode: str) -> None:
    server = StdioServerParameters(command=program, args=["serve", "--root", root])
    async with Client(server, mode=mode, read_timeout_seconds=60) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        kept: dict[str, object] = {}
        called = set()
        for step in PLAN:
            arguments = {name: kept.get(value, value) if isinstance(value, str) else value
                         for name, value in step["arguments"].items()}
            result = await client.call_tool(step["tool"], arguments)
            assert not result.is_error, (step, result.content)
            envelope = result.structured_content
            for name, path in step.get("keep", {}).items():
                value = envelope
                for part in path:
                    value = value[part]
                assert value, (step, path)
                kept[name] = value
            called.add(step["tool"])
        assert called == listed, called ^ listed
        print(f"{client.protocol_version}: called {len(called)} of {len(listed)} tools")


async def main() -> None:
    for mode in ("legacy", "auto"):
        await talk(sys.argv[1], sys.argv[2], mode)


asyncio.run(main())
