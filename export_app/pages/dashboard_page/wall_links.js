// Links that show the wallboard of one queue without a key: an operator makes, lists and deletes them.

import { ApiError, fetchJson, request } from "./api.js";
import { el, field, replace, scroller } from "./dom.js";
import { at, sentence } from "./format.js";
import { setText } from "./live_parts.js";

const DAYS = 30;

/**
 * Return the address that a link is opened by. The token stands behind the #, which no browser sends to a server: so it is
 * in no server's log and in no Referer.
 * @param {string} base the address of the dashboard
 * @param {string} token
 * @param {string} limits thresholds, as an address has them
 * @returns {string}
 */
export function linkAddress(base, token, limits) {
  const address = new URL("wallboard", base);
  address.search = "";
  address.hash = new URLSearchParams({ link: token, ...(limits ? { limits } : {}) }).toString();
  return address.href;
}

/** The part of the Now view that an operator has for links. */
export class WallLinks {
  /** @param {HTMLDetailsElement} host */
  constructor(host) {
    this.view = { account: "", queue: "", limits: "", zone: "UTC" };
    this.said = el("p", { role: "status", class: "muted" });
    this.made = el("div", { class: "made" });
    this.list = el("div");
    const labelled = (/** @type {string} */ label, /** @type {Page.Attributes} */ attributes) =>
      el("label", {}, label, " ", el("input", { autocomplete: "off", spellcheck: "false", required: true, ...attributes }));
    this.form = el("form", { "aria-label": "A link to make" }, labelled("Account", { name: "account", maxlength: 255 }), labelled("Queue", { name: "queue", maxlength: 255, placeholder: "support@default" }),
      labelled("Days", { name: "days", type: "number", min: 1, max: 366, value: DAYS }), el("button", { class: "primary", type: "submit" }, "Make a link"));
    this.form.addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); this.act(() => this.make()); });
    host.append(el("summary", {}, "Links for wallboards"),
      el("p", { class: "muted" }, "Whoever has a link sees the wallboard of one queue, without a key: its counts and times, and no number, agent, account or other queue. It ends after its days, when you delete it, or with the key that made it."),
      this.form, this.said, this.made, this.list);
    host.addEventListener("toggle", () => { if (host.open) this.act(() => this.load()); });
    this.host = host;
  }

  /**
   * Show links beside a view: its account and queue are offered for a new one.
   * @param {{account: string, queue: string, limits: string, zone: string}} view
   */
  show(view) {
    const [account, queue] = [field(this.form, "account"), field(this.form, "queue")];
    if (account.value === this.view.account) account.value = view.account;
    if (queue.value === this.view.queue) queue.value = view.queue;
    this.view = view;
  }

  /** @param {() => Promise<void>} what */
  async act(what) {
    setText(this.said, "");
    try {
      await what();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText(this.said, `${sentence(error.message)}.`);
    }
  }

  async make() {
    const [account, queue, days] = ["account", "queue", "days"].map((name) => field(this.form, name));
    const body = JSON.stringify({ account: account.value.trim(), queue_id: queue.value.trim(), days: Number(days.value) });
    const response = await request("v1/wallboard/links", {}, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const { token, queue_id } = await response.json();
    const address = el("input", { readonly: true, value: linkAddress(document.baseURI, token, this.view.limits), "aria-label": `Link to ${queue_id}` });
    address.addEventListener("focus", () => address.select());
    const copied = el("span", { class: "muted", role: "status" });
    const copy = el("button", { type: "button", onclick: async () => {
      address.select();
      try {
        await navigator.clipboard.writeText(address.value);
        setText(copied, "Copied.");
      } catch {
        setText(copied, "It is selected: copy it with the keyboard."); // over plain HTTP browsers let no page copy
      }
    } }, "Copy");
    replace(this.made, el("p", { class: "note" }, "The link, this once: whoever has it can open it. ", el("span", { class: "copying" }, address, copy, copied)));
    await this.load();
    address.focus();
  }

  async load() {
    const { links } = await fetchJson("v1/wallboard/links");
    if (!links.length) {
      replace(this.list, el("p", { class: "muted" }, "There are no links."));
      return;
    }
    const cell = (/** @type {string} */ cls, /** @type {Page.Child} */ child) => el("td", { class: cls }, child);
    replace(this.list, scroller("Links", el("table", {},
      el("caption", { class: "hidden" }, "Links"),
      el("thead", {}, el("tr", {}, ["Queue", "Account", "Made", "Ends", "Delete"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, links.map((/** @type {Api.Link} */ link) => el("tr", {}, cell("name", link.queue_id), cell("name", link.account_id),
        cell("", at(link.created_ts, this.view.zone, "hour")), cell("", at(link.expires_ts, this.view.zone, "hour")),
        cell("", this.deleting(link))))))));
  }

  /** @param {Api.Link} link */
  deleting(link) {
    const name = `the link to ${link.queue_id} of ${link.account_id}`;
    // A second press, and no dialog: the keyboard stays where it is.
    let sure = false;
    const button = el("button", { type: "button", "aria-label": `Delete ${name}`, onclick: () => {
      if (!sure) {
        sure = true;
        button.textContent = "Delete for good";
        button.setAttribute("aria-label", `Delete ${name} for good: press once more`);
        return;
      }
      this.act(async () => {
        await request(`v1/wallboard/links/${link.id}`, {}, { method: "DELETE" });
        replace(this.made);
        await this.load();
        setText(this.said, "Deleted: within seconds it shows nothing any more.");
      });
    } }, "Delete");
    return button;
  }
}
