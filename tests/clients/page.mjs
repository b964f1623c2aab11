// Opens the page of the admin port in a browser and checks what a person needs of it. Prints a line for each check.
// page.mjs CHROMIUM http://ADMIN [FOLDER]; the server runs with --chaos. Pictures go into FOLDER.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Browser } from "./browser.mjs";

const [program, base, folder] = process.argv.slice(2);

/** The narrowest phone in use. */
const PHONE = 360;
const TAB = 9;
/** More than the page has stops. */
const STOPS_MAX = 200;

const HOSTILE = `<img src=x onerror="window.hit = true"><script>window.hit = true</script>`;

/** Makes every text of the overview hostile. */
const ALL_HOSTILE = `{
  const fetched = window.fetch;
  const spoil = (value) => {
    if (typeof value === "string") return ${JSON.stringify(HOSTILE).replaceAll("</", "<\\/")};
    if (Array.isArray(value)) return value.map(spoil);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, spoil(of)]));
  };
  window.fetch = async (...asked) => {
    const answer = await fetched(...asked);
    const body = await answer.json();
    return { ok: true, json: async () => spoil(body) };
  };
}`;

/** Texts with too little contrast (WCAG 2 AA: 4.5). */
const LOW_CONTRAST = `(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (part) => (part <= 0.03928 * 255 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(element.tagName + " " + element.textContent.slice(0, 20) + " " + ratio.toFixed(2));
  }
  return low;
})()`;

const SHOWN = "document.getElementById('verdict').dataset.level !== 'unknown'";
const text = (id) => `document.getElementById('${id}').innerText`;
const said = (name) => console.log(name);

/** The row of an actor: its restarts. */
const restarts = (name) => `(() => {
  const rows = Array.from(document.querySelectorAll("#tree .row"));
  const row = rows.find((row) => row.querySelector(".name").textContent === "${name}");
  return row && parseInt(row.children[1].textContent, 10);
})()`;

async function strike(actor, mode, for_ms) {
  const body = JSON.stringify({ actor, mode, for_ms });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${base}/admin/chaos/actors`, { method: "POST", headers, body });
  assert.equal(answer.status, 200, await answer.text());
}

async function showsTheNode(tab) {
  await tab.size(1280, 900);
  await tab.open(`${base}/`);
  await tab.until(SHOWN);
  const tree = await tab.run(text("tree"));
  for (const name of ["root", "store", "persistence:0", "sessions:0…15", "registry", "cache", "pool"]) {
    assert.ok(tree.includes(name), `${name} in ${tree}`);
  }
  assert.match(await tab.run(text("verdict")), /^All is well/);
  assert.match(await tab.run(text("tools")), /analyze_complexity/);
  assert.match(await tab.run(text("noted")), /unknown_session \(caller's fault\)/);
  await tab.until("document.getElementById('link').dataset.state === 'live'");
  said("shows the node");
}

async function showsARestart(tab) {
  assert.equal(await tab.run(restarts("registry")), 0);
  await strike("registry", "kill");
  await tab.until(`${restarts("registry")} === 1`);
  said("shows a restart");
}

/** A screen reader hears the verdict only when it changes. */
async function saysWhatIsStuck(tab) {
  await tab.run(`{
    window.spoken = 0;
    const box = document.getElementById("verdict");
    new MutationObserver(() => { window.spoken += 1; }).observe(box, { childList: true, subtree: true, characterData: true });
  }`);
  await strike("cache", "stall", 7000);
  await tab.until(`/cache is stuck on the message fault since/.test(${text("verdict")})`);
  assert.match(await tab.run(text("stuck")), /cache/);
  const spoken = await tab.run("window.spoken");
  const polls = tab.requests;
  while (tab.requests < polls + 2) await new Promise((yes) => setTimeout(yes, 100));
  const still = await tab.run(`window.spoken === ${spoken} || !/is stuck/.test(${text("verdict")})`);
  assert.ok(still, "the verdict is said again without a change");
  await tab.until(`/^All is well/.test(${text("verdict")})`);
  assert.match(await tab.run(text("stuck")), /over/);
  said("says what is stuck");
}

async function fits(tab) {
  await tab.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
  for (const width of [PHONE, 768, 1280]) {
    await tab.size(width, 800);
    const wide = await tab.run("document.documentElement.scrollWidth");
    assert.ok(wide <= width, `${wide} wide at ${width}`);
  }
  said("fits a phone");
}

async function isLightAndDark(tab) {
  const pictures = {};
  await tab.size(1280, 900);
  for (const scheme of ["light", "dark"]) {
    await tab.scheme(scheme);
    assert.deepEqual(await tab.run(LOW_CONTRAST), [], scheme);
    pictures[scheme] = await tab.picture(false);
    if (folder) writeFileSync(join(folder, `${scheme}.png`), pictures[scheme]);
  }
  await tab.size(PHONE, 800);
  if (folder) writeFileSync(join(folder, "phone.png"), await tab.picture(false));
  assert.ok(!pictures.light.equals(pictures.dark));
  said("is light and dark");
}

async function isUsableByKeyboard(tab) {
  await tab.size(1280, 900);
  const all = await tab.run(`(() => {
    const found = document.querySelectorAll("a[href], button, summary, [tabindex='0']");
    return Array.from(found).filter((one) => one.checkVisibility()).map((one, nth) => { one.dataset.stop = nth; return nth; });
  })()`);
  assert.ok(all.length > 10, `${all.length}`);
  await tab.run("document.activeElement.blur(), window.scrollTo(0, 0)");
  const reached = new Set();
  for (let stop = 0; stop < STOPS_MAX && reached.size < all.length; stop += 1) {
    await tab.press("Tab", TAB);
    const [at, visible] = await tab.run(`(() => {
      const at = document.activeElement;
      return [at.dataset.stop ?? "", getComputedStyle(at).outlineStyle !== "none"];
    })()`);
    if (at === "") continue;
    assert.ok(visible, `the focus on stop ${at} is invisible`);
    reached.add(Number(at));
  }
  const missed = all.filter((one) => !reached.has(one));
  assert.deepEqual(missed, [], "not reached by Tab");
  said("is usable by keyboard");
}

async function saysWhenItIsOld(tab) {
  await tab.run("document.getElementById('pause').click()");
  await tab.until(`/^Paused/.test(${text("link")})`);
  const asked = tab.requests;
  await new Promise((yes) => setTimeout(yes, 2500));
  assert.equal(tab.requests, asked, "it still asks");
  await tab.run("document.getElementById('pause').click()");
  await tab.until("document.getElementById('link').dataset.state === 'live'");
  const complaints = tab.complaints.length;
  const net = (offline) => tab.ask("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  await net(true);
  await tab.until(`/^Cannot reach the server; the figures are of/.test(${text("link")})`);
  await net(false);
  await tab.until("document.getElementById('link').dataset.state === 'live'");
  // The browser itself reports each failed request.
  tab.complaints.splice(complaints);
  said("says when it is old");
}

async function showsForeignTextAsText(browser) {
  const tab = await browser.tab(ALL_HOSTILE);
  await tab.open(`${base}/`);
  await tab.until(SHOWN);
  for (const id of ["tree", "noted", "features", "nodes", "store", "facts"]) {
    assert.ok((await tab.run(text(id))).includes("<img src=x"), id);
  }
  const made = await tab.run("document.querySelectorAll('img, script:not([src]), main script').length");
  assert.equal(made, 0);
  assert.ok(!(await tab.run("Boolean(window.hit)")));
  assert.deepEqual(tab.complaints, []);
  said("shows foreign text as text");
}

/** The policy stops a script that got into the page all the same. */
async function runsNoForeignScript(browser) {
  const tab = await browser.tab();
  await tab.open(`${base}/`);
  await tab.run(`{
    const script = document.createElement("script");
    script.textContent = "window.hit = true";
    document.body.append(script);
    document.body.insertAdjacentHTML("beforeend", ${JSON.stringify(HOSTILE)});
  }`);
  await new Promise((yes) => setTimeout(yes, 300));
  assert.ok(!(await tab.run("Boolean(window.hit)")));
  assert.ok(tab.complaints.some((one) => one.includes("Content Security Policy")), tab.complaints.join("\n"));
  said("runs no foreign script");
}

const browser = new Browser(program);
try {
  const tab = await browser.tab();
  await showsTheNode(tab);
  await showsARestart(tab);
  await saysWhatIsStuck(tab);
  await fits(tab);
  await isLightAndDark(tab);
  await isUsableByKeyboard(tab);
  await saysWhenItIsOld(tab);
  assert.deepEqual(tab.complaints, [], "errors in the console");
  await showsForeignTextAsText(browser);
  await runsNoForeignScript(browser);
} finally {
  await browser.close();
}
