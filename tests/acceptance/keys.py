"""A person who has a keyboard and no mouse."""

from typing import Final

from playwright.sync_api import Page

_STOPS: Final = 120  # more than any view has

# What has the focus: whether it says what it is, is drawn with a ring, and is on the screen with nothing above it.
_FOCUSED: Final = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1);
  const y = Math.min(Math.max(box.top + Math.min(box.height, innerHeight) / 2, 0), innerHeight - 1);
  const top = document.elementFromPoint(x, y);
  return {
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth
      && !!top && (element.contains(top) || top.contains(element)),
    html: element.outerHTML.slice(0, 120),
  };
}"""


class Keys:
    """Moves through a page by Tab; each stop has to be seen."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def to(self, selector: str, *, key: str = "Tab") -> None:
        """Press Tab, or another key, until an element that a selector names has the focus."""
        for _ in range(_STOPS):
            self.page.keyboard.press(key)
            self.check()
            if self.page.evaluate("selector => document.activeElement?.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} was not reached by {_STOPS} times {key}")

    def check(self) -> None:
        """Raise AssertionError unless whatever has the focus shows it."""
        found = self.page.evaluate(_FOCUSED)
        # Between the last stop and the first one of the page there is the browser's own frame.
        assert found is None or (found["ring"] and found["seen"]), found

    def press(self, *names: str) -> None:
        """Press keys, one after the other."""
        for name in names:
            self.page.keyboard.press(name)

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self.page.keyboard.type(text)
