"""What a page of the dashboard shows: the texts of its tiles, charts and tables."""

import re

from playwright.sync_api import Page


def tiles(page: Page) -> dict[str, str]:
    """Return the value of each tile by its title."""
    cards = page.locator(".tile").all()
    return {card.locator("h3").inner_text(): card.locator(".value").inner_text() for card in cards}


def drawn(page: Page, title: str) -> list[str]:
    """Return the texts of a chart's non-empty bars, oldest first."""
    figure = page.locator("figure", has=page.get_by_role("heading", name=title))
    bars = figure.locator("g.bar", has=page.locator("rect.fill"))
    when = re.compile(r"^.*?\d\d:\d\d( \(part of the hour\))?: ")
    return [when.sub("", bar.locator("title").text_content() or "") for bar in bars.all()]


def texts(page: Page, title: str, column: str) -> list[str]:
    """Return the cells of a column in the table of the card with this title."""
    card = page.locator("section", has=page.get_by_role("heading", name=title))
    heads = card.locator("th").all_inner_texts()
    return [line.locator("td").nth(heads.index(column)).inner_text() for line in card.locator("tbody tr").all()]
