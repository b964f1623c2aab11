#!/usr/bin/env python3
"""Writes the dashboards beside this file: `generate.py`, or `generate.py --check`, which only compares.

A panel is one call of `panel`. Every name in a query is on the list of docs/telemetry.md, and a test runs every query
against the service.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
# Grafana's grid has 24 columns: three panels in a row.
WIDTH, HEIGHT, COLUMNS = 8, 8, 3
# `or on() vector(0)` gives a query a series before the first event: /metrics has no series then.
RARE = "It shows 0 until there was one."

SELECTED = 'instance=~"$instance"'
CALLS = f'mcp_method_name="tools/call", {SELECTED}'


def rate(name, labels=SELECTED):
    return f"rate({name}{{{labels}}}[$__rate_interval])"


def rates(name, by, labels=SELECTED):
    return f"sum by ({by}) ({rate(name, labels)})"


def rare(name, by=None, labels=SELECTED):
    """Events of a time step, with a series also while there are none."""
    by = f" by ({by})" if by else ""
    return f"sum{by} (increase({name}{{{labels}}}[$__rate_interval])) or on() vector(0)"


def quantile(which, name, by="", labels=SELECTED):
    by = f"le, {by}" if by else "le"
    return f"histogram_quantile({which}, sum by ({by}) ({rate(name + '_bucket', labels)}))"


def mean(name):
    return f"sum({rate(name + '_sum')}) / sum({rate(name + '_count')})"


def spread(name, labels=SELECTED):
    """Median, and the limits that one in 20 and one in 100 exceeds."""
    return [(quantile(q, name, labels=labels), f"p{int(q * 100)}") for q in (0.5, 0.95, 0.99)]


def panel(title, unit, says, *queries, traces=False, kind="timeseries", most=None):
    """One panel. Queries are pairs of an expression and a legend; `traces` shows exemplars, which link to traces."""
    defaults = {"unit": unit, "min": 0}
    if most is not None:
        defaults["max"] = most
    targets = []
    for at, (query, legend) in enumerate(queries):
        target = {"refId": chr(ord("A") + at), "expr": query, "legendFormat": legend}
        if traces:
            target["exemplar"] = True
        if kind == "stat":
            target["instant"] = True
        targets.append(target)
    options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    if kind == "stat":
        options = {"textMode": "value_and_name", "reduceOptions": {"calcs": ["lastNotNull"]}}
    return {
        "type": kind,
        "title": title,
        "description": says,
        "datasource": PROMETHEUS,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
    }


def dashboard(name, says, panels):
    for at, one in enumerate(panels):
        row, column = divmod(at, COLUMNS)
        one["id"] = at + 1
        one["gridPos"] = {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT}
    instance = {
        "name": "instance",
        "label": "Node",
        "type": "query",
        "datasource": PROMETHEUS,
        "query": {"qryType": 1, "query": "label_values(mca_build, instance)", "refId": "instance"},
        "definition": "label_values(mca_build, instance)",
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "refresh": 2,
        "sort": 1,
        "current": {"text": "All", "value": "$__all"},
    }
    others = {
        "title": "Dashboards",
        "type": "dashboards",
        "tags": ["mcp-code-analysis"],
        "keepTime": True,
        "includeVars": True,
    }
    return {
        "uid": f"mca-{name.lower()}",
        "title": name,
        "description": says,
        "tags": ["mcp-code-analysis"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [others],
        "templating": {"list": [instance]},
        "panels": panels,
    }


DURATION = "mcp_server_operation_duration_seconds"
RECOVERY = "mca_session_recovery_duration_seconds"
COMMIT = "mca_commit_duration_seconds"
# A command; of EVALSHA also the script.
SCRIPT = "db_operation_name, db_stored_procedure_name"
COMMAND = "db_client_operation_duration_seconds"

SERVICE = [
    panel(
        "Nodes", "none", "1: the node answers on its admin port. Look at the log of a node that shows 0.",
        (f'up{{job="mcp-code-analysis", {SELECTED}}}', "{{instance}}"), kind="stat",
    ),
    panel(
        "Version", "none", "During an upgrade two versions run; afterwards one should be left.",
        (f"sum by (service_version) (mca_build{{{SELECTED}}})", "{{service_version}}"), kind="stat",
    ),
    panel(
        "Time since the start", "s", "A fall to 0 is a restart: compare its time with that of errors.",
        (f"process_uptime_seconds{{{SELECTED}}}", "{{instance}}"),
    ),
    panel(
        "Calls", "reqps", "Calls of tools each second: a sudden fall with a rise of errors is an outage.",
        (rates(f"{DURATION}_count", "gen_ai_tool_name", CALLS), "{{gen_ai_tool_name}}"),
    ),
    panel(
        "Errors by fault", "percentunit",
        f"Share of calls that fail: `server` should be 0, `caller` is a mistake of the caller. {RARE}",
        (
            f"sum by (mca_fault) ({rate('mca_call_errors_total')})"
            f" / scalar(sum({rate(f'{DURATION}_count', CALLS)})) or on() vector(0)",
            "{{mca_fault}}",
        ),
    ),
    panel(
        "Errors by reason", "short", f"Which reason grows: docs/tools.md says what each one means. {RARE}",
        (rare("mca_call_errors_total", "mca_reason, mca_fault"), "{{mca_reason}} ({{mca_fault}})"),
    ),
    *(
        panel(
            f"Latency of calls, {name}", "s", says,
            (quantile(q, DURATION, "gen_ai_tool_name", CALLS), "{{gen_ai_tool_name}}"), traces=True,
        )
        for q, name, says in (
            (0.5, "median", "What a usual call takes: a rise of all tools at once points to the machine or Redis. A dot is a trace."),
            (0.95, "p95", "One in 20 calls is slower: look for the tool that rises, and open a dot, which is a trace."),
            (0.99, "p99", "One in 100 calls is slower: first calls over large projects are here. Open a dot, which is a trace."),
        )
    ),
    panel(
        "Wait for a thread", "s", "Tools wait if all threads of `--workers` are busy: a median above 0.1 s asks for more cores or nodes.",
        *spread("mca_pool_wait_duration_seconds"),
    ),
    panel(
        "Use of limits", "percentunit", "Share of each limit in use: at 100 % calls wait or are refused as `busy`.",
        (
            f"max by (mca_permit) (mca_permits_used{{{SELECTED}}} / mca_permits_limit{{{SELECTED}}})",
            "{{mca_permit}}",
        ),
        most=1,
    ),
    panel(
        "Other requests", "reqps", "Requests that are no calls, by method: `tools/list` without end is a client that reconnects in a loop.",
        (
            rates(f"{DURATION}_count", "mcp_method_name", f'mcp_method_name!="tools/call", {SELECTED}'),
            "{{mcp_method_name}}",
        ),
    ),
    panel(
        "Connections that ended", "short", f"Many short connections are a client that reconnects. {RARE}",
        (rare("mcp_server_session_duration_seconds_count", "network_transport"), "{{network_transport}}"),
    ),
    panel(
        "Memory", "bytes", "Memory in RAM: it should stay below the limit of the container; see Memory in docs/operations.md.",
        (f'process_memory_usage_bytes{{job="mcp-code-analysis", {SELECTED}}}', "{{instance}}"),
    ),
    panel(
        "Processor", "short", "Cores in use: at the number of cores, calls wait for each other.",
        (rates("process_cpu_time_seconds_total", "instance"), "{{instance}}"),
    ),
    panel(
        "File handles", "percentunit", "Share of the limit on open files: near 100 %, connections and files are refused.",
        (
            f"process_open_file_descriptor{{{SELECTED}}} / mca_process_file_descriptor_limit{{{SELECTED}}}",
            "{{instance}}",
        ),
        most=1,
    ),
    panel(
        "Telemetry sent", "short", f"Spans, records and batches that the collector took: it should follow the calls. {RARE}",
        (rare("mca_telemetry_exported_total", "mca_signal"), "{{mca_signal}}"),
    ),
    panel(
        "Telemetry dropped", "short", f"Should be 0: else the collector is away, too slow, or refuses. {RARE}",
        (rare("mca_telemetry_dropped_total", "mca_signal, error_type"), "{{mca_signal}} {{error_type}}"),
    ),
    panel(
        "Log lines dropped", "short", f"Should be 0: else nothing reads stderr fast enough. {RARE}",
        (rare("mca_log_dropped_total"), "lines"),
    ),
    panel(
        "Malformed trace parents", "short", f"Requests whose `traceparent` could not be read: a client sends a wrong one. {RARE}",
        (rare("mca_trace_malformed_parents_total"), "requests"),
    ),
]

SESSIONS = [
    panel(
        "Sessions by state", "short", "`quarantined` should be 0: such a session failed three times in a row.",
        (f"sum by (mca_state) (mca_sessions{{{SELECTED}}})", "{{mca_state}}"),
    ),
    panel(
        "Quarantines", "short", f"Sessions that were set aside: list them with `sessions list --quarantined`. {RARE}",
        (rare("mca_session_quarantines_total"), "sessions"),
    ),
    panel(
        "Hand-overs", "short", f"Sessions that changed their node: many without a restart mean that a proxy spreads each client's calls. {RARE}",
        (rare("mca_session_hand_overs_total", "mca_direction"), "{{mca_direction}}"),
    ),
    panel(
        "Sessions that were loaded", "short", f"`restarted` follows a crash of an actor, `taken_over` the end of another node. {RARE}",
        (rare(f"{RECOVERY}_count", "mca_why"), "{{mca_why}}"),
    ),
    panel(
        "Time to load a session", "s", f"How long calls wait for their session: usually about 1 ms; `taken_over` may wait for a lease, up to 15 s. {RARE}",
        (f"{quantile(0.95, RECOVERY, 'mca_why')} or on() vector(0)", "p95 {{mca_why}}"),
    ),
    panel(
        "Restarts by actor kind", "short", f"A few are harmless; a line that goes on rising will end the process. {RARE}",
        (rare("mca_actor_restarts_total", "mca_actor"), "{{mca_actor}}"),
    ),
    panel(
        "Stuck now", "short", "Should be 0: else a part of the server works on one message for more than a second; `/admin/actors` says on which.",
        (f"sum by (mca_actor) (mca_actor_stuck{{{SELECTED}}})", "{{mca_actor}}"),
    ),
    panel(
        "Found stuck", "short", f"Times that a part was found stuck: short ones point to an overloaded machine. {RARE}",
        (rare("mca_actor_stuck_found_total", "mca_actor"), "{{mca_actor}}"),
    ),
    panel(
        "Mailboxes", "short", "Messages that wait: the kind that grows is the bottleneck.",
        (f"sum by (mca_actor) (mca_actor_mailbox{{{SELECTED}}})", "{{mca_actor}}"),
    ),
    panel(
        "Busy", "percentunit", "Share of a second spent on messages, all actors of a kind together: a single actor at 100 % is the bottleneck.",
        (rates("mca_actor_busy_seconds_total", "mca_actor"), "{{mca_actor}}"),
    ),
    panel(
        "Messages", "short", "Messages that were handled each second: it should follow the calls.",
        (rates("mca_actor_messages_total", "mca_actor"), "{{mca_actor}}"),
    ),
    panel(
        "Time for one message", "s", "Usually microseconds: a rise without more messages points to an overloaded machine.",
        (
            f"{rates('mca_actor_busy_seconds_total', 'mca_actor')} / {rates('mca_actor_messages_total', 'mca_actor')}",
            "{{mca_actor}}",
        ),
    ),
]

REDIS = [
    panel(
        "State of the store", "short", "Nodes by state: all should be `ready`; while one is `away`, its answers are not durable.",
        (f"sum by (mca_store, mca_state) (mca_store_state{{{SELECTED}}})", "{{mca_store}} {{mca_state}}"),
    ),
    panel(
        "Sessions kept in memory", "short", "Sessions whose changes wait for Redis: they are lost if the node ends now.",
        (f"sum by (instance) (mca_store_sheltered{{{SELECTED}}})", "{{instance}}"),
    ),
    panel(
        "Changes lost", "short", f"Should be 0: changes that were acknowledged and are gone. {RARE}",
        (rare("mca_store_losses_total"), "changes"),
    ),
    panel(
        "Latency of commits", "s", "Each call waits for one or two: usually below 1 ms on a local network.",
        *spread(COMMIT),
    ),
    panel(
        "Commits by outcome", "ops", "All should be `committed`: `away` and `unknown` are outages, `fenced` and `lapsed` lost leases.",
        (rates(f"{COMMIT}_count", "mca_outcome"), "{{mca_outcome}}"),
    ),
    panel(
        "Commits without an answer", "short", "Should return to 0 at once: a steady rise means that Redis is too slow.",
        (f"sum by (instance) (mca_commit_pending{{{SELECTED}}})", "{{instance}}"),
    ),
    panel(
        "Size of commits", "bytes", "Large results make large commits: above 1 MiB they delay others.",
        *spread("mca_commit_size_bytes"),
    ),
    panel(
        "Commits sent together", "short", "1 in a quiet service: it rises under load, which saves round trips.",
        (mean("mca_commit_group_size"), "mean"), (quantile(0.95, "mca_commit_group_size"), "p95"),
    ),
    panel(
        "Commits with unknown outcome", "short", f"Redis gave no answer in time, so they were sent again: look at the network. {RARE}",
        (rare("mca_commit_ambiguous_total"), "commits"),
    ),
    panel(
        "Latency of commands, p95", "s", "One in 20 is slower: one slow operation points to large values, all at once to the network or the disk. A dot is a trace.",
        (quantile(0.95, COMMAND, SCRIPT), "{{db_operation_name}} {{db_stored_procedure_name}}"), traces=True,
    ),
    panel(
        "Commands", "ops", "Commands and pipelines each second: it should follow the calls.",
        (rates(f"{COMMAND}_count", SCRIPT), "{{db_operation_name}} {{db_stored_procedure_name}}"),
    ),
    panel(
        "Failed commands", "short", f"By the error: `OOM` is a full Redis, a time-out the network. {RARE}",
        (rare(f"{COMMAND}_count", "error_type", f'error_type!="", {SELECTED}'), "{{error_type}}"),
    ),
    panel(
        "Fenced commits", "short", f"Another node had taken the session: expected after a pause of a node, else a lease was lost. {RARE}",
        (rare("mca_commit_fenced_total"), "commits"),
    ),
    panel(
        "Regressions", "short", f"Should be 0: Redis held an older state than it had acknowledged, and got the newer one again. {RARE}",
        (rare("mca_store_regressions_total"), "sessions"),
    ),
    panel(
        "Leases", "short", "Leases that are extended while calls run: it follows the running calls.",
        (f"sum by (instance) (mca_lease_held{{{SELECTED}}})", "{{instance}}"),
    ),
    panel(
        "Renewals of leases", "short", f"By outcome: `away` means that another node may take sessions over, `lost` that it did. {RARE}",
        (rare("mca_lease_renewals_total", "mca_outcome"), "{{mca_outcome}}"),
    ),
]

CACHED = f'mca_handled="cached", {SELECTED}'
HITS = f'mca_cache_level!="none", {SELECTED}'
TOOLS = f'gen_ai_tool_name=~"analyze_.*", {CALLS}'

ANALYSIS = [
    panel(
        "Files", "short", "Files each second, by how they were handled: `parsed` should fall after the first call over a project.",
        (rates("mca_analysis_files_total", "mca_handled"), "{{mca_handled}}"),
    ),
    panel(
        "Share of files from the cache", "percentunit", "Near 100 % once projects are known: if it falls, the cache is too small or files change all the time.",
        (
            f"sum({rate('mca_analysis_files_total', CACHED)})"
            f" / sum({rate('mca_analysis_files_total')})",
            "cached",
        ),
        most=1,
    ),
    panel(
        "Bytes parsed by language", "Bps", "What the processor time goes to: a language that stays high is parsed again and again.",
        (rates("mca_analysis_parsed_bytes_total", "mca_language"), "{{mca_language}}"),
    ),
    panel(
        "Cache, by level", "ops", "Where analyses were found: `none` was parsed, `shared` came from another node.",
        (rates("mca_cache_lookups_total", "mca_cache_level"), "{{mca_cache_level}}"),
    ),
    panel(
        "Hit rate of the cache", "percentunit", "Share of keys that some level had: a fall after a deployment is usual, a lasting one asks for more `--cache-bytes`.",
        (
            f"sum({rate('mca_cache_lookups_total', HITS)})"
            f" / sum({rate('mca_cache_lookups_total')})",
            "hits",
        ),
        most=1,
    ),
    panel(
        "Size of the cache", "bytes", "If it stays at `--cache-bytes` and the hit rate is low, the cache is too small.",
        (f"sum by (instance) (mca_cache_size_bytes{{{SELECTED}}})", "{{instance}}"),
    ),
    panel(
        "Calls of analyses", "reqps", "Analyses each second, by tool: compare with the files that they read.",
        (rates(f"{DURATION}_count", "gen_ai_tool_name", TOOLS), "{{gen_ai_tool_name}}"),
    ),
    panel(
        "Time of analyses, median", "s", "Known projects take some 10 ms: a rise with more parsed files is a cold cache. A dot is a trace.",
        (quantile(0.5, DURATION, "gen_ai_tool_name", TOOLS), "{{gen_ai_tool_name}}"), traces=True,
    ),
    panel(
        "Time of analyses, p95", "s", "One in 20 is slower, usually the first call over a project. A dot is a trace, which shows walk, read and parse.",
        (quantile(0.95, DURATION, "gen_ai_tool_name", TOOLS), "{{gen_ai_tool_name}}"), traces=True,
    ),
]

DASHBOARDS = [
    dashboard("Service", "Calls, errors, latency, limits and the process. Start here.", SERVICE),
    dashboard("Sessions", "Sessions and the actors that run them.", SESSIONS),
    dashboard("Redis", "The store of the sessions, and what commits cost.", REDIS),
    dashboard("Analysis", "What is parsed, what comes from the cache, and how long it takes.", ANALYSIS),
]


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    for one in DASHBOARDS:
        path = HERE / f"{one['title'].lower()}.json"
        text = json.dumps(one, indent=2, ensure_ascii=False) + "\n"
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} is not what {Path(__file__).name} writes: run it, or change it too")


if __name__ == "__main__":
    main()
