// Server-sent events, out of a response that fetch reads: unlike EventSource it can send a token, and tells why it is refused. Pure.

const LONGEST = 4_000_000; // characters of one event: a thousand agents and a hundred queues are a tenth of it

/**
 * One event. A comment has the kind "comment": it says only that the server is there.
 * @typedef {{kind: string, data: string}} StreamEvent
 */

/** Cuts the text of a stream into events, however it was cut on its way. */
export class EventReader {
  constructor() {
    this.rest = "";
    /** @type {StreamEvent} */
    this.event = { kind: "", data: "" };
  }

  /**
   * Read on; throws RangeError at an event without an end.
   * @param {string} text
   * @returns {StreamEvent[]} those that have ended
   */
  feed(text) {
    // The end of a line may come in two pieces: a \r alone at the end waits for what comes.
    const lines = (this.rest + text).split(/\r\n|\n|\r(?=[^\n])/);
    this.rest = lines.pop() ?? "";
    /** @type {StreamEvent[]} */
    const found = [];
    for (const line of lines) this.take(line, found);
    if (this.rest.length + this.event.data.length > LONGEST) throw new RangeError("an event has no end");
    return found;
  }

  /**
   * @param {string} line
   * @param {StreamEvent[]} found
   */
  take(line, found) {
    if (line.startsWith(":")) {
      found.push({ kind: "comment", data: line.slice(1).trim() });
      return;
    }
    if (line === "") {
      if (this.event.data) found.push({ ...this.event, data: this.event.data.slice(0, -1) });
      this.event = { kind: "", data: "" };
      return;
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (name === "event") this.event.kind = value;
    else if (name === "data") this.event.data += `${value}\n`;
  }
}
