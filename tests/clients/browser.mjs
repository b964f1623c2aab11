// A headless Chromium, driven by the DevTools protocol over a pipe: no port, no package.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Longer than a slow machine needs. */
const PATIENCE_MS = 60_000;

export class Browser {
  constructor(program) {
    this.profile = mkdtempSync(join(tmpdir(), "page-"));
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--disable-background-networking", "--remote-debugging-pipe", `--user-data-dir=${this.profile}`];
    this.child = spawn(program, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.asked = new Map();
    this.heard = [];
    this.next = 0;
    let rest = "";
    this.child.stdio[4].setEncoding("utf8").on("data", (text) => {
      const parts = (rest + text).split("\0");
      rest = parts.pop();
      parts.forEach((part) => this.take(JSON.parse(part)));
    });
    this.child.on("exit", () => this.asked.forEach(({ no }) => no(new Error("the browser ended"))));
  }

  take(message) {
    if (message.id === undefined) return this.heard.forEach((hear) => hear(message));
    const { yes, no } = this.asked.get(message.id);
    this.asked.delete(message.id);
    if (message.error) no(new Error(message.error.message));
    else yes(message.result);
  }

  ask(method, params = {}, sessionId) {
    this.next += 1;
    const id = this.next;
    const text = JSON.stringify({ id, method, params, sessionId });
    return new Promise((yes, no) => {
      this.asked.set(id, { yes, no });
      this.child.stdio[3].write(`${text}\0`);
    });
  }

  /** A new tab with `before` run before each page. `complaints` collects errors of the page and of its policy. */
  async tab(before) {
    const { targetId } = await this.ask("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.ask("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await tab.ask(`${domain}.enable`);
    if (before) await tab.ask("Page.addScriptToEvaluateOnNewDocument", { source: before });
    return tab;
  }

  close() {
    this.child.removeAllListeners("exit");
    const gone = new Promise((yes) => this.child.on("exit", yes));
    this.child.kill("SIGKILL");
    return gone.then(() => rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 }));
  }
}

class Tab {
  constructor(browser, session) {
    this.browser = browser;
    this.session = session;
    this.complaints = [];
    this.requests = 0;
    browser.heard.push(({ method, params, sessionId }) => {
      if (sessionId !== session) return;
      if (method === "Network.requestWillBeSent") this.requests += 1;
      if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.exception?.description);
      if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) {
        this.complaints.push(params.args.map((one) => one.value ?? one.description).join(" "));
      }
      if (method === "Log.entryAdded" && ["error", "warning"].includes(params.entry.level)) {
        this.complaints.push(params.entry.text);
      }
    });
  }

  ask(method, params) {
    return this.browser.ask(method, params, this.session);
  }

  async run(expression) {
    const done = await this.ask("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (done.exceptionDetails) throw new Error(`${expression}: ${done.exceptionDetails.exception?.description}`);
    return done.result.value;
  }

  /** Waits until the expression is true, and returns its value. */
  async until(expression) {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const value = await this.run(expression).catch(() => null);
      if (value) return value;
      if (Date.now() > until) {
        throw new Error(`never: ${expression}\n${await this.run("document.body.innerText")}`);
      }
      await new Promise((yes) => setTimeout(yes, 50));
    }
  }

  async open(url) {
    await this.ask("Page.navigate", { url });
    await this.until("document.readyState === 'complete'");
  }

  size(width, height) {
    return this.ask("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
  }

  scheme(value) {
    return this.ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
  }

  async picture(whole = true) {
    const { data } = await this.ask("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole });
    return Buffer.from(data, "base64");
  }

  async press(key, code) {
    const event = { key, code: key, windowsVirtualKeyCode: code };
    await this.ask("Input.dispatchKeyEvent", { type: "rawKeyDown", ...event });
    await this.ask("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }
}
