"""The Python client `mcp`: lists every tool and calls each, and what is offered beside, over every transport, with
and without `initialize`.

usage: client.py PROGRAM ROOT URL
"""

import asyncio
import json
import pathlib
import sys

from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters
from mcp.types import PromptReference, ResourceTemplateReference

PLAN = json.loads((pathlib.Path(__file__).parent / "plan.json").read_text())


async def look_beside(client: Client, session: str, result: str) -> None:
    """Resources, prompts and completions, while `session` is open."""
    templates = [template.uri_template for template in (await client.list_resource_templates()).resource_templates]
    uri = templates[0].replace("{session_id}", session).replace("{result_id}", result)
    listed = [str(resource.uri) for resource in (await client.list_resources()).resources]
    assert uri in listed, (uri, listed)
    contents = (await client.read_resource(uri)).contents
    assert json.loads(contents[0].text)["result_id"] == result, contents
    prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
    assert prompts == {"find_hotspots", "review_change", "untangle_cycles"}, prompts
    prompt = await client.get_prompt("review_change", {"session_id": session, "baseline": result})
    assert result in prompt.messages[0].content.text, prompt
    ids = await client.complete(ResourceTemplateReference(uri=templates[0]),
                                {"name": "result_id", "value": "res_"}, {"session_id": session})
    assert ids.completion.values == [result], ids
    paths = await client.complete(PromptReference(name="find_hotspots"), {"name": "path", "value": "app/m"})
    assert paths.completion.values == ["app/main.py"], paths


async def talk(transport: str, server, mode: str) -> None:
    heard = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with Client(server, mode=mode, read_timeout_seconds=60) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        kept: dict[str, object] = {}
        called = set()
        for step in PLAN:
            arguments = {name: kept.get(value, value) if isinstance(value, str) else value
                         for name, value in step["arguments"].items()}
            result = await client.call_tool(step["tool"], arguments, progress_callback=hear)
            assert not result.is_error, (step, result.content)
            envelope = result.structured_content
            for name, path in step.get("keep", {}).items():
                value = envelope
                for part in path:
                    value = value[part]
                assert value, (step, path)
                kept[name] = value
            called.add(step["tool"])
            if transport == "stdio" and step["tool"] == "analyze_complexity":
                await look_beside(client, kept["$session"], kept["$result"])
        assert called == listed, called ^ listed
        assert heard, "no progress was heard"
        print(f"{transport} {client.protocol_version}: called {len(called)} of {len(listed)} tools")


async def main() -> None:
    program, root, url = sys.argv[1:]
    for mode in ("legacy", "auto"):
        await talk("stdio", StdioServerParameters(command=program, args=["serve", "--root", root]), mode)
        await talk("http", f"{url}/mcp", mode)
    await talk("sse", sse_client(f"{url}/sse"), "legacy")


asyncio.run(main())
