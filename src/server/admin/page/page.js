"use strict";
// Shows /admin/overview and asks for it again every two seconds. Text of the server is only ever set as text.

const EVERY_MS = 2000;
const GIVE_UP_MS = 5000;

const at = (id) => document.getElementById(id);
let paused = false;
let timer = 0;
let asking = null;
let last = null;

// === words ===

const numbers = new Intl.NumberFormat("en");
const count = (n) => numbers.format(n);

function span(ms) {
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) {
    n /= 1024;
    at += 1;
  }
  return `${at > 0 && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
}

/// The time of day, with the date unless it is today.
function clock(text, seconds) {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return String(text);
  const two = (n) => String(n).padStart(2, "0");
  let shown = `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (seconds) shown += `:${two(time.getSeconds())}`;
  if (time.toDateString() === new Date().toDateString()) return shown;
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${shown}`;
}

const share = (part, all) => (all > 0 ? `${Math.round((100 * part) / all)} %` : "–");
const plural = (n, one) => `${count(n)} ${one}${n === 1 ? "" : "s"}`;

// === elements ===

function make(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

/// Writes only what changed, so that a selection stays and a screen reader hears only news.
function write(element, text, kind) {
  if (element.textContent !== String(text)) element.textContent = text;
  if (kind !== undefined && element.className !== kind) element.className = kind;
}

/// Makes the children of `parent` those of `items`. An element stays as long as its key does.
function sync(parent, items, key, fresh, update) {
  const had = new Map(Array.from(parent.children, (child) => [child.dataset.key, child]));
  items.forEach((item, nth) => {
    const name = key(item, nth);
    let child = had.get(name);
    had.delete(name);
    if (!child) {
      child = fresh(item);
      child.dataset.key = name;
    }
    if (parent.children[nth] !== child) parent.insertBefore(child, parent.children[nth] || null);
    update(child, item);
  });
  for (const child of had.values()) child.remove();
}

/// Rows of cells `[text, class]`; the first is the header of its row.
function table(body, rows, none) {
  const width = body.parentElement.tHead.rows[0].cells.length;
  if (rows.length === 0) {
    sync(body, [none], () => "none", () => {
      const row = make("tr");
      row.append(make("td", "none"));
      row.cells[0].colSpan = width;
      return row;
    }, (row, text) => write(row.cells[0], text));
    return;
  }
  sync(body, rows, (row) => `row ${row.key}`, (row) => {
    const made = make("tr");
    row.cells.forEach((_, nth) => {
      const cell = make(nth === 0 ? "th" : "td");
      if (nth === 0) cell.scope = "row";
      made.append(cell);
    });
    return made;
  }, (made, row) => row.cells.forEach(([text, kind], nth) => write(made.cells[nth], text, kind || "")));
}

function pairs(list, rows) {
  sync(list, rows, (row) => row[0], ([name]) => {
    const made = make("div");
    made.append(make("dt", "", name), make("dd"));
    return made;
  }, (made, [, text, kind]) => write(made.lastChild, text, kind || ""));
}

// === parts ===

const LEVELS = { well: "All is well", degraded: "Degraded", not_ready: "Not ready" };

function cause(one) {
  const since = one.since ? ` since ${clock(one.since)}` : "";
  return one.then ? `${one.what}${since}; ${one.then}` : `${one.what}${since}`;
}

function showVerdict(verdict) {
  const level = LEVELS[verdict.level] || verdict.level;
  const [first, ...others] = verdict.causes.map(cause);
  const lines = [first ? `${level}: ${first}` : level, ...others.map((other) => `Also: ${other}`)];
  lines.push(...verdict.notes.map((note) => `Note on the store: ${note}`));
  const box = at("verdict");
  if (box.dataset.level !== verdict.level) box.dataset.level = verdict.level;
  sync(box, lines, (_, nth) => String(nth), () => make("p"), (line, text) => write(line, text));
  const title = `${level} – MCP Code Analysis`;
  if (document.title !== title) document.title = title;
}

function showFigures(now) {
  const tools = now.calls.tools;
  const sum = (name) => tools.reduce((all, tool) => all + tool[name], 0);
  const restarts = now.activity.reduce((all, kind) => all + kind.restarts, 0);
  const looked = now.cache.hits + now.cache.misses;
  const rows = [
    ["Calls a minute", count(Math.round(sum("per_minute")))],
    ["Running calls", count(now.sessions.calls_in_flight)],
    ["Failed calls, 5 min", count(sum("servers")), sum("servers") ? "bad" : ""],
    ["Sessions awake", count(now.sessions.awake)],
    ["Cache hits", share(now.cache.hits, looked)],
    ["Restarts", count(restarts), restarts ? "warn" : ""],
    ["Stuck", count(now.stuck.now.length), now.stuck.now.length ? "bad" : ""],
    ["Up for", span(now.uptime_ms)],
  ];
  pairs(at("figures"), rows);
}

function showCalls(calls) {
  const rows = calls.tools.map((tool) => ({
    key: tool.tool,
    cells: [
      [tool.tool],
      [tool.per_minute < 10 ? tool.per_minute.toFixed(1) : count(Math.round(tool.per_minute)), "n"],
      [span(tool.p50_ms), "n"],
      [span(tool.p95_ms), "n"],
      [count(tool.callers), tool.callers ? "n warn" : "n zero"],
      [count(tool.servers), tool.servers ? "n bad" : "n zero"],
    ],
  }));
  table(at("tools"), rows, "No call in the last 5 minutes.");
  const noted = calls.noted.map((one, nth) => {
    const outcome = one.reason ? `${one.reason} (${one.fault}'s fault)` : "slow";
    const message = one.message ? `: ${one.message}` : "";
    const trace = one.trace ? ` trace ${one.trace}` : "";
    return {
      key: `${one.at} ${one.tool} ${calls.noted.length - nth}`,
      cells: [
        [clock(one.at, true), "t"],
        [one.tool, "t"],
        [span(one.ms), "n"],
        [`${outcome}${message}${trace}`, one.fault === "server" ? "w bad" : "w"],
        [one.session_id || "–", one.session_id ? "w id" : "none"],
      ],
    };
  });
  table(at("noted"), noted, "None.");
}

function showStuck(stuck) {
  const row = (one, over) => ({
    key: `${one.name} ${one.since}`,
    cells: [
      [clock(one.since, true), "t"],
      [one.name, "w"],
      [one.doing],
      [span(one.ms), "n"],
      over ? ["over"] : ["stuck", "bad"],
    ],
  });
  const rows = [...stuck.now.map((one) => row(one, false)), ...stuck.ended.map((one) => row(one, true))];
  table(at("stuck"), rows, "Nothing was stuck since the start.");
}

/// The session supervisors as one group: there are many, and each does the same.
function grouped(tree) {
  const of = tree.children.filter((child) => child.kind === "session_supervisor");
  if (of.length < 2) return tree;
  const sum = (field) => of.reduce((all, one) => all + one[field], 0);
  const running = of.every((one) => one.status === "running");
  const sessions = of.reduce((all, one) => all + one.children.length, 0);
  const group = {
    name: `sessions:0…${of.length - 1}`,
    kind: "group",
    status: running ? "running" : "restarting",
    restarts: sum("restarts"),
    mailbox: sum("mailbox"),
    busy_ms: sum("busy_ms"),
    now: null,
    last_failure: null,
    note: plural(sessions, "session"),
    children: of,
  };
  const others = tree.children.filter((child) => child.kind !== "session_supervisor");
  return { ...tree, children: [...others.slice(0, 1), group, ...others.slice(1)] };
}

function busyShare(actor, before, passed) {
  const was = before.get(actor.name);
  if (was === undefined || passed <= 0) return null;
  return Math.max(0, Math.min(1, (actor.busy_ms - was) / passed));
}

function freshRow(actor) {
  const line = make(actor.children.length ? "summary" : "div", "row");
  const busy = make("span", "busy");
  busy.append(make("i"), make("b"));
  const name = make("span");
  name.append(make("span", "name"), make("span", "more"));
  line.append(name, make("span"), make("span"), busy);
  const item = make("li");
  if (!actor.children.length) {
    item.append(line);
    return item;
  }
  const details = make("details");
  details.open = actor.kind === "root" || actor.kind === "store_supervisor";
  details.append(line, make("ul"));
  item.append(details);
  return item;
}

function updateRow(item, actor, before, passed) {
  const line = item.querySelector(".row");
  const [name, restarts, mailbox, busy] = line.children;
  const notes = [];
  if (actor.status !== "running") notes.push(actor.status);
  if (actor.note) notes.push(actor.note);
  if (actor.now) notes.push(`${actor.now.message} for ${span(actor.now.since_ms)}`);
  if (actor.last_failure) notes.push(`last failure: ${actor.last_failure}`);
  const shown = actor.kind === "session" ? actor.name.replace(/^session:/, "") : actor.name;
  name.classList.toggle("id", actor.kind === "session");
  write(name.firstChild, shown, actor.status === "running" ? "name" : "name bad");
  write(name.lastChild, notes.join(" · "));
  const labelled = (cell, n, label, kind) => {
    if (!cell.firstChild) cell.append(make("span"), make("span", "unseen"));
    write(cell.firstChild, count(n));
    write(cell.lastChild, ` ${label}, `);
    cell.className = n ? kind : "zero";
  };
  labelled(restarts, actor.restarts, "restarts", "warn");
  labelled(mailbox, actor.mailbox, "messages waiting", "");
  const part = busyShare(actor, before, passed);
  busy.classList.toggle("zero", !(part >= 0.0005));
  busy.firstChild.style.setProperty("--share", `${100 * (part || 0)}%`);
  write(busy.lastChild, part === null ? "–" : `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`);
  const list = item.querySelector("ul");
  if (list) showActors(list, actor.children, before, passed);
}

function showActors(list, actors, before, passed) {
  const key = (actor) => `${actor.children.length ? "branch" : "leaf"} ${actor.name}`;
  sync(list, actors, key, freshRow, (item, actor) => updateRow(item, actor, before, passed));
}

function busyOf(actor, into) {
  into.set(actor.name, actor.busy_ms);
  for (const child of actor.children) busyOf(child, into);
  return into;
}

function showStore(store, sessions) {
  const rows = [["Kind", store.kind]];
  rows.push(["State", store.away ? `down: ${store.away}` : store.available ? "reachable" : "its actors restart", store.away ? "bad" : "well"]);
  rows.push(["Durability", `${store.level}${store.kind === "memory" ? "" : store.durable ? ", reached" : ", not reached"}`, store.durable || store.kind === "memory" ? "" : "warn"]);
  if (store.breaker) rows.push(["Breaker", store.breaker, store.breaker === "closed" ? "" : "warn"]);
  if (store.link) {
    rows.push(["Server", `${store.link.role} ${store.link.version} at ${store.link.address}`]);
    rows.push(["Latency", span(store.link.latency_ms)]);
    rows.push(["Reconnects", count(store.link.reconnects)]);
  }
  if (store.pool) rows.push(["Connections", `${store.pool.open} of ${store.pool.limit}, ${store.pool.waiting} wait`]);
  rows.push(["Pending commits", count(store.pending_commits)]);
  const kept = store.sheltered;
  if (kept.changes) rows.push(["Kept in memory", `${plural(kept.changes, "change")} of ${plural(kept.sessions, "session")}`, "warn"]);
  if (kept.lost) rows.push(["Lost changes", count(kept.lost), "bad"]);
  rows.push(["Sessions awake", count(sessions.awake)]);
  if (sessions.restarting) rows.push(["Restarting", count(sessions.restarting), "warn"]);
  rows.push(["Quarantined", count(sessions.quarantined), sessions.quarantined ? "warn" : ""]);
  store.warnings.forEach((warning, nth) => rows.push([nth ? `Warning ${nth + 1}` : "Warning", warning, "warn"]));
  pairs(at("store"), rows);
}

function showCache(cache, pool) {
  const rows = [
    ["State", cache.available ? "in use" : "does not answer", cache.available ? "well" : "warn"],
    ["Memory", `${bytes(cache.bytes)} of ${bytes(cache.limit_bytes)}`],
    ["Entries", count(cache.entries)],
    ["Hits", `${count(cache.hits)} of ${count(cache.hits + cache.misses)}`],
    ["Evictions", count(cache.evictions)],
  ];
  if (!cache.available) rows.splice(1);
  if (cache.shared) {
    const shared = cache.shared;
    rows.push(["Shared", shared.away ? `down: ${shared.away}` : shared.short || "in use", shared.away || shared.short ? "warn" : "well"]);
    rows.push(["Shared hits", `${count(shared.hits)} of ${count(shared.hits + shared.misses)}`]);
    if (shared.bytes !== null) rows.push(["Shared bytes", `${bytes(shared.bytes)}${shared.budget === null ? "" : ` of ${bytes(shared.budget)}`}`]);
  }
  rows.push(["Workers", `${pool.running} of ${pool.workers} busy, ${count(pool.queued)} jobs wait`]);
  pairs(at("cache"), rows);
}

function showFeatures(features) {
  const kinds = { available: "well", degraded: "warn" };
  sync(at("features"), features, (one) => one.name, () => {
    const made = make("li");
    made.append(make("span"), document.createTextNode(" "), make("span"), make("small"));
    return made;
  }, (made, one) => {
    const [name, state, why] = made.children;
    write(name, one.name.replaceAll("_", " "));
    write(state, one.state, kinds[one.state] || "none");
    write(why, one.state === "available" ? "" : one.why || "");
  });
}

function showNodes(nodes) {
  const rows = nodes.map((one) => ({
    key: one.node,
    cells: [
      [`${one.address}${one.this ? " (this node)" : ""}${one.draining ? " (draining)" : ""}`, "w"],
      [one.version, "t"],
      [count(one.sessions), "n"],
      [count(one.calls_in_flight), "n"],
      [clock(one.seen, true), "t"],
    ],
  }));
  table(at("nodes"), rows, "This node shares no store, or its store is down.");
}

function show(now, asked) {
  showVerdict(now.verdict);
  write(at("facts"), `${now.version} · ${now.node} · ${now.state}`);
  showFigures(now);
  showCalls(now.calls);
  showStuck(now.stuck);
  const tree = grouped(now.tree);
  showActors(at("tree"), [tree], last ? last.busy : new Map(), last ? asked - last.asked : 0);
  showStore(now.store, now.sessions);
  showCache(now.cache, now.pool);
  showFeatures(now.features);
  showNodes(now.store.nodes);
  last = { asked, at: Date.now(), busy: busyOf(tree, new Map()) };
}

// === asking ===

function say(state, text) {
  at("link").dataset.state = state;
  write(at("link-text"), text);
}

async function ask() {
  asking = new AbortController();
  const limit = setTimeout(() => asking.abort(), GIVE_UP_MS);
  try {
    const answer = await fetch("admin/overview", { signal: asking.signal, headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    const now = await answer.json();
    show(now, performance.now());
    say("live", "Live");
  } catch (error) {
    if (paused || document.hidden) return;
    const old = last ? `; the figures are of ${clock(last.at, true)}` : "";
    say("lost", `Cannot reach the server${old}. Trying again`);
    console.info(`overview: ${error.message}`);
  } finally {
    clearTimeout(limit);
    asking = null;
  }
}

async function turn() {
  clearTimeout(timer);
  const rests = () => paused || document.hidden;
  if (rests() && asking) asking.abort();
  if (asking) return;
  if (!rests()) await ask();
  if (rests()) {
    say("paused", paused ? "Paused" : "Paused while this tab is hidden");
    return;
  }
  clearTimeout(timer);
  timer = setTimeout(turn, EVERY_MS);
}

at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  turn();
});
document.addEventListener("visibilitychange", turn);
turn();
