# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser: live, by keyboard, for screen readers, on any screen. Makes the screenshots of docs/."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rig import ROOT, Facility

LIVE_MS = 2000
SHOTS = (
    Path(os.environ["XRAYLAB_SCREENSHOTS"])
    if "XRAYLAB_SCREENSHOTS" in os.environ
    else ROOT / "tests" / "output" / "gallery"
)
SCREENS = {
    "light": {"viewport": {"width": 1440, "height": 1350}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 1350}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
    "wall": {"viewport": {"width": 1920, "height": 1080}, "color_scheme": "dark"},
}


@pytest.fixture
def busy(facility: Facility) -> list[str]:
    """An hour of a facility's work; returns images with Pneumonia, the oldest first."""
    chance, begin, high = facility.random, datetime.now(UTC) - timedelta(minutes=57), []
    for number in range(70):
        at = begin + timedelta(minutes=number * 0.8)
        image = facility.arrive(at)
        drawn = chance.random()
        risk = (
            chance.betavariate(1.2, 7)
            if drawn < 0.72
            else chance.betavariate(9, 1.2)
            if drawn < 0.93
            else chance.uniform(0.6, 0.8)
        )
        done = at + timedelta(seconds=chance.uniform(0.3, 1.6))
        if number % 17 == 9:
            facility.finish(
                image,
                None,
                "rejected",
                ("Expected an upright frontal chest X-ray; this looks like a lateral view.",),
                at=done,
            )
        elif number < 68:
            facility.finish(
                image,
                round(risk, 4),
                reasons=("Warm areas lie over the right lower lung.",) if risk > 0.8 else (),
                at=done,
            )
            high += [image] if risk > 0.85 else []
    return high


def test_a_study_appears_without_reload(open_page, facility):
    page = open_page()
    page.evaluate("window.untouched = true")
    page.locator(".live[data-state=live]").wait_for()
    image = facility.arrive()
    incoming = page.locator(f"[data-lane=incoming] [data-image='{image}']")
    incoming.wait_for(timeout=LIVE_MS)
    assert incoming.get_attribute("data-outcome") == "waiting"
    assert incoming.locator("img").count() == 0
    facility.finish(image, 0.93)
    recorded = time.monotonic()
    for lane in ("incoming", "assessed", "deidentified"):
        tile = page.locator(f"[data-lane={lane}] [data-image='{image}']")
        tile.locator("img").first.wait_for(timeout=LIVE_MS)
        assert tile.locator(".finding").inner_text().split() == ["Pneumonia", "0.93"]
    assert time.monotonic() - recorded < LIVE_MS / 1000
    until(page, "document.querySelector('[data-figure=received]').textContent === '1'")
    assert page.evaluate("window.untouched")


def test_a_page_that_lost_the_database_catches_up(open_page, facility):
    page = open_page()
    page.locator(".live[data-state=live]").wait_for()
    page.evaluate("window.untouched = true")
    facility.postgres.stop()
    try:
        page.locator(".live[data-state=lost]").wait_for(timeout=30000)
    finally:  # the tests after this one need the server
        facility.postgres.start()
    image = facility.arrive()
    page.locator(f"[data-lane=incoming] [data-image='{image}']").wait_for(timeout=15000)
    assert page.evaluate("window.untouched")


def test_a_filter_shows_and_keeps_showing_what_fits(open_page, facility):
    images = [facility.arrive() for _ in range(3)]
    for image, risk in zip(images, (0.95, 0.1, 0.7), strict=True):
        facility.finish(image, risk)
    page = open_page(path="/studies")
    page.get_by_role("radio", name="Pneumonia").check()
    page.wait_for_url("**/studies?label=Pneumonia")
    assert [tile.get_attribute("data-image") for tile in page.locator("#list .tile").all()] == [images[0]]
    page.locator(".live[data-state=live]").wait_for()
    new, other = facility.arrive(), facility.arrive()
    facility.finish(other, 0.05)
    facility.finish(new, 0.99)
    page.locator(f"#list [data-image='{new}']").wait_for(timeout=LIVE_MS)
    assert page.locator(f"#list [data-image='{other}']").count() == 0


def test_everything_is_reached_by_keyboard(open_page, facility, busy):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("s")
    page.wait_for_url("**/studies")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "label"
    for _ in range(3):
        with page.expect_navigation():
            page.keyboard.press("ArrowRight")
        page.keyboard.press("/")
    assert page.url.endswith("label=Pneumonia")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/studies/{busy[-1]}")
    assert page.locator("#heat").is_hidden()
    page.keyboard.press("h")
    assert page.locator("#heat").is_visible()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: busy[-1] not in url)
    page.keyboard.press("Escape")
    page.wait_for_url("**/studies")


def test_a_screen_reader_finds_its_way(open_page, facility, busy):
    page = open_page()
    for role, count in (("banner", 1), ("main", 1), ("contentinfo", 1), ("navigation", 1)):
        assert page.get_by_role(role).count() == count
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("list").count() >= 4
    told = page.locator("#told")
    assert (told.get_attribute("role"), told.get_attribute("aria-live")) == ("status", "polite")
    until(page, "document.querySelector('[data-chart=risks] svg').getAttribute('aria-label').includes('studies')")
    page.locator(".live[data-state=live]").wait_for()
    facility.finish(facility.arrive(), 0.95)
    until(page, "document.getElementById('told').textContent === '1 new result, 1 with Pneumonia.'")
    unnamed = page.evaluate(
        "[...document.querySelectorAll('a, button, input, select, img')].filter(e => !e.closest('template') "
        "&& !(e.textContent.trim() || e.ariaLabel || e.labels?.length || e.hasAttribute('alt'))).map(e => e.outerHTML)"
    )
    assert unnamed == []


def test_who_wants_no_motion_gets_none(open_page, facility):
    page = open_page(reduced_motion="reduce")
    page.locator(".live[data-state=live]").wait_for()
    page.locator(f"[data-image='{facility.arrive()}']").first.wait_for(timeout=LIVE_MS)
    assert page.locator(".pulse").count() == 0
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(open_page, busy, scheme):
    page = open_page(color_scheme=scheme)
    found = page.evaluate(CONTRAST)
    assert {what: ratio for what, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("path", ["/", "/studies", "/studies/{image}"])
def test_no_page_is_wider_than_its_screen(open_page, busy, path):
    page = open_page(path=path.format(image=busy[-1]))
    for width in (320, 390, 768, 1440, 3840):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("screen", SCREENS)
def test_screenshots(open_page, busy, screen):
    SHOTS.mkdir(parents=True, exist_ok=True)
    page = open_page("clara" if screen == "dark" else "viola", **SCREENS[screen])
    if screen == "wall":
        page.keyboard.press("w")
        until(page, "document.body.classList.contains('wall')")
    until(page, "[...document.images].every(image => image.complete)")
    page.locator("[data-chart=waiting] path").first.wait_for(state="attached")
    page.wait_for_timeout(700)  # fading in
    page.screenshot(path=SHOTS / f"gallery-{screen}.png")
    if screen in ("light", "phone"):
        page.goto(page.url.rstrip("/") + f"/studies/{busy[-1]}")
        until(page, "[...document.images].every(image => image.complete)")
        page.keyboard.press("h")
        page.wait_for_timeout(300)
        page.screenshot(path=SHOTS / f"study-{screen}.png")


def until(page: object, expression: str) -> None:
    """Asks from outside: the page's policy forbids what Playwright's own waiting does within."""
    deadline = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        time.sleep(0.05)


CONTRAST = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > .5) return color;
    }
    return [255, 255, 255];
  };
  const found = {};
  const texts = '.detail, .figure span, .word, .risk, time, .lane header p, .role, .top nav a, .foot p, figcaption, h2';
  for (const element of document.querySelectorAll(texts)) {
    if (element.closest('template') || element.closest('[hidden]') || !element.checkVisibility()) continue;
    const [a, b] = [light(channels(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    const what = `${element.className || element.tagName} ${element.closest('[data-label]')?.dataset.label || ''}`;
    found[what] = Math.min(found[what] ?? 99, (a + .05) / (b + .05));
  }
  return found;
}"""
