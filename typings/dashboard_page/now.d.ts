/** The elements of the Now view and of wallboard.html that are used as more than an element. */
interface PageElements {
  "now-form": HTMLFormElement;
  "now-wall": HTMLAnchorElement;
  "wall-links": HTMLDetailsElement;
  back: HTMLAnchorElement;
}
