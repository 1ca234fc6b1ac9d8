// What is up now, as it comes: a stream while there is one, else a question every few seconds; and how old it is.

import { ApiError, request } from "./api.js";
import { EventReader } from "./event_reader.js";

/**
 * connecting: nothing has come yet. live: by the stream. polling: asked for again and again. away: nobody answers.
 * refused: it makes no sense to ask again. stopped: nobody wants to know.
 * @typedef {"connecting" | "live" | "polling" | "away" | "refused" | "stopped"} Mode
 * @typedef {{stream: number, poll: number, first: number, silence: number, again: number, longest: number}} Pauses
 * @typedef {{account?: string | null, token?: string | null}} Whose
 */

/**
 * In ms. first: until the first event, which the server sends at once; a web server in front that holds it back makes this
 * page poll. silence: without a byte after it, for the server says something every 15 s. again, longest: between two tries.
 * @type {Pauses}
 */
const PAUSES = { stream: 500, poll: 5_000, first: 8_000, silence: 40_000, again: 1_000, longest: 30_000 };

/**
 * Return how long to wait before the stream is tried again after so many failures, ms; chance: from 0 to 1, so that a
 * hundred screens do not come back at one moment.
 * @param {number} failures
 * @param {number} chance
 * @param {Pauses} [pauses]
 * @returns {number}
 */
export const backoff = (failures, chance, { again, longest } = PAUSES) =>
  Math.round(Math.min(longest, again * 2 ** Math.min(failures - 1, 20)) * (0.5 + chance / 2));

const FINAL = [400, 401, 403, 404]; // no fault of the moment: the key or link, its scope, or the question

/** A feed of what is up. changed() is called at whatever changes, and a page that ticks reads what it needs. */
export class NowFeed {
  /**
   * @param {Whose} whose an account of an operator's, or the token of a link; else all that the session may see
   * @param {() => void} changed
   * @param {Pauses} [pauses]
   */
  constructor({ account = null, token = null }, changed, pauses = PAUSES) {
    this.parameters = account ? { account } : {};
    // With a link nothing else is sent: what it opens must not depend on who is signed in in this browser.
    /** @type {RequestInit} */
    this.options = token ? { headers: { Authorization: `Bearer ${token}` }, credentials: "omit", cache: "no-store" } : { cache: "no-store" };
    this.changed = changed;
    this.pauses = pauses;
    /** @type {Mode} */
    this.mode = "stopped";
    /** What /v1/now says; null: nothing has come yet. @type {Api.NowAnswer | null} */
    this.now = null;
    /** Until when that is known to be so, by the server's clock, epoch ms. */
    this.asOf = 0;
    /** @type {ApiError | null} */
    this.error = null;
    this.since = Date.now(); // of this mode
    this.ahead = 0; // the server's clock less ours: the largest seen, for what comes late has no other sign
    this.renews = true; // with the next answer: our clock, or the server's, may have been set
    this.run = 0;
    /** @type {AbortController | null} */
    this.abort = null;
  }

  /** Return what the server's clock shows, epoch ms. */
  serverNow() {
    return Date.now() + this.ahead;
  }

  /** Return how old what is shown is, ms. */
  age() {
    return Math.max(0, this.serverNow() - this.asOf);
  }

  /** Begin, or begin anew. */
  start() {
    this.stop();
    this.set("connecting", null);
    this.go(this.run);
  }

  /** End: nothing is asked for any more. */
  stop() {
    this.run += 1;
    this.abort?.abort();
    this.set("stopped", null);
  }

  /**
   * @param {Mode} mode
   * @param {ApiError | null} error
   */
  set(mode, error) {
    if (mode !== this.mode) this.since = Date.now();
    this.mode = mode;
    this.error = error;
    this.changed();
  }

  /** @param {number} run */
  async go(run) {
    let failures = 0;
    while (run === this.run) {
      try {
        await this.stream(run);
        failures = 0;
        await this.pause(this.pauses.stream * (0.5 + Math.random() / 2));
      } catch (error) {
        if (run !== this.run) return;
        failures += 1;
        await this.poll(run, Date.now() + backoff(failures, Math.random(), this.pauses));
      }
    }
  }

  /**
   * Read the stream to its end; throws whatever ends it otherwise.
   * @param {number} run
   */
  async stream(run) {
    const abort = this.abort = new AbortController();
    let watchdog = setTimeout(() => abort.abort(), this.pauses.first);
    let heard = false;
    this.renews = true;
    try {
      const response = await request("v1/now/stream", this.parameters, { ...this.options, signal: abort.signal });
      const [pieces, decoder, reader] = [/** @type {ReadableStream<Uint8Array>} */ (response.body).getReader(), new TextDecoder(), new EventReader()];
      for (;;) {
        const { done, value } = await pieces.read();
        if (run !== this.run) return;
        if (done) break;
        for (const event of reader.feed(decoder.decode(value, { stream: true }))) heard = this.take(event) || heard;
        if (!heard) continue;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => abort.abort(), this.pauses.silence);
      }
    } finally {
      clearTimeout(watchdog);
    }
    if (!heard) throw new ApiError(0, "The stream ended at once");
  }

  /**
   * @param {import("./event_reader.js").StreamEvent} event
   * @returns {boolean} whether it says what is up
   */
  take({ kind, data }) {
    if (kind === "") this.tell(JSON.parse(data), "live");
    else if (kind === "unchanged") this.still(JSON.parse(data).now_ts, "live");
    return kind === "";
  }

  /**
   * @param {Api.NowAnswer} now
   * @param {Mode} mode
   */
  tell(now, mode) {
    this.now = now;
    this.still(now.now_ts, mode);
  }

  /**
   * @param {number} asOf
   * @param {Mode} mode
   */
  still(asOf, mode) {
    this.asOf = asOf;
    const ahead = asOf - Date.now();
    this.ahead = this.renews ? ahead : Math.max(this.ahead, ahead);
    this.renews = false;
    this.set(mode, null);
  }

  /**
   * Ask until a time, ms, and at least once.
   * @param {number} run
   * @param {number} until
   */
  async poll(run, until) {
    do {
      try {
        const abort = this.abort = new AbortController();
        const overdue = setTimeout(() => abort.abort(), this.pauses.silence);
        const response = await request("v1/now", this.parameters, { ...this.options, signal: abort.signal }).finally(() => clearTimeout(overdue));
        const now = await response.json();
        if (run !== this.run) return;
        this.tell(now, "polling");
      } catch (error) {
        if (run !== this.run) return;
        if (error instanceof ApiError && FINAL.includes(error.status)) {
          this.run += 1;
          this.set("refused", error);
          return;
        }
        this.set("away", error instanceof ApiError ? error : new ApiError(0, "The server does not answer"));
      }
      await this.pause(Math.max(0, Math.min(this.pauses.poll, until - Date.now())));
    } while (run === this.run && Date.now() < until);
  }

  /** @param {number} ms */
  pause(ms) {
    return new Promise((resolve) => { setTimeout(resolve, ms); });
  }
}
