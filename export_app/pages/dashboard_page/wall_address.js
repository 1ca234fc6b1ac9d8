// The address of a wallboard: what stands behind its #. Pure.

/**
 * What a wallboard shows. byLink: by a link's token, which may have been taken out of the address before.
 * @typedef {{byLink: boolean, token: string, account: string, queue: string, limits: string, theme: "" | "dark" | "light"}} Wall
 */

/**
 * Read the part of an address from its # on.
 * @param {string} hash
 * @returns {Wall}
 */
export function readWall(hash) {
  const text = hash.replace(/^#/, "");
  // #wb_… alone is a link, too: the shortest that can be typed.
  const found = new URLSearchParams(text.startsWith("wb_") ? `link=${text}` : text);
  const theme = found.get("theme");
  return {
    byLink: found.has("link"), token: found.get("link") ?? "", account: found.get("account") ?? "", queue: found.get("queue_id") ?? "",
    limits: found.get("limits") ?? "", theme: theme === "dark" || theme === "light" ? theme : "",
  };
}

/**
 * Write a wallboard's address, from the # on, without its token.
 * @param {Omit<Wall, "token">} wall
 * @returns {string}
 */
export function writeWall({ byLink, account, queue, limits, theme }) {
  const given = Object.entries({ account, queue_id: queue, limits, theme }).filter(([, value]) => value);
  const hash = new URLSearchParams([...(byLink ? [["link", ""]] : []), ...given]).toString();
  return hash && `#${hash}`;
}
