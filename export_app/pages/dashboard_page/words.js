// The words of telephony, explained where they stand.

import { el } from "./dom.js";

/**
 * What each abbreviation means, in a sentence for people who do not run a switch.
 * @type {Record<string, string>}
 */
export const WORDS = {
  ASR: "Answer-seizure ratio: the share of finished calls that were answered",
  ACD: "Average call duration: of the calls that were answered",
  PDD: "Post-dial delay: from dialling until the first sign of the called party",
  MOS: "Mean opinion score: the quality of what was received, from 1 (bad) to 5",
  ASA: "Average speed of answer: how long callers waited until an agent answered",
  AHT: "Average handle time: how long agents talked, per call",
  "Service level": "The share of offered calls that an agent answered in time",
  Abandoned: "Callers whom nobody took: they hung up, or the queue let them go",
  "Abandon rate": "The share of offered calls whose callers nobody took: they hung up, or the queue let them go",
  Offered: "Calls that came into a queue and have ended",
  "Calls up": "Calls that are going on now, from the first ring on",
  Talking: "Calls that are answered and in which nobody waits in a queue",
  Waiting: "Callers who are in a queue now, and whom no agent has taken yet",
  "Longest wait": "How long the caller who has waited longest has waited until now",
  "Longest today": "The longest wait in a queue of a call that has ended today",
  Unrated: "Finished calls without a price: they are in no cost",
  Minutes: "Talked, from answer to end; not the minutes that are charged",
};

/**
 * Make a word with its meaning as a tip; also for those who cannot point. A word without one stays text.
 * @param {string} word
 * @returns {Page.Name}
 */
export const explained = (word) => (Object.hasOwn(WORDS, word) ? () => el("abbr", { title: WORDS[word], tabindex: 0, "aria-label": `${word}. ${WORDS[word]}` }, word) : word);
