"""The report in a browser: headless Chromium, as Debian has it (apt-get install chromium)."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright
from small_report import whole_study

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path (apt-get install chromium)")
WIDTHS = (1440, 390)  # pixels: a desk, a phone
# a sandbox needs rights that a container lacks; WebGL by software where there is no GPU
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    study = whole_study(tmp_path_factory.mktemp("study"), np.random.default_rng(0))
    return study.report().as_uri()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(params=WIDTHS)
def page(browser, address, request):
    """The opened report; what goes wrong in it, and what it asks the network for, are in `faults`."""
    opened = browser.new_page(viewport={"width": request.param, "height": 900})
    opened.faults = []
    opened.on("console", lambda message: message.type == "error" and opened.faults.append(message.text))
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.on("request", lambda asked: asked.url.startswith("http") and opened.faults.append(asked.url))
    opened.goto(address)
    opened.wait_for_selector("body[data-ready]")
    yield opened
    opened.close()


def scroll_through(page):
    """Bring every part of the page into the window once."""
    for place in range(0, page.evaluate("document.documentElement.scrollHeight"), 600):
        page.evaluate(f"window.scrollTo({{top: {place}, behavior: 'instant'}})")
        page.wait_for_timeout(100)


def seen(page, selector):
    """The pixels of an element, (h, w, 3)."""
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB")).astype(int)


def turn(page):
    """Bring the 3D view into the window; its pixels when it is drawn."""
    page.locator("#view").scroll_into_view_if_needed()
    page.wait_for_selector("#view[data-drawn]:not([data-drawn='']) canvas")
    page.wait_for_timeout(500)
    return seen(page, "#view")


def test_the_page_opens_and_scrolls_through_without_an_error_or_a_request(page):
    scroll_through(page)
    page.wait_for_timeout(500)
    assert page.faults == []


def test_every_picture_loads_and_every_figure_is_drawn(page):
    scroll_through(page)
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    widths = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert len(widths) == 10 and min(widths) > 0  # four scans and a colour scale of each category
    page.wait_for_function("[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('svg'))")
    assert page.locator(".plot .trace, .plot .bars").count() > 30


def test_the_page_is_not_wider_than_the_window(page):
    scroll_through(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_3d_view_draws_the_scan_in_four_colourings(page):
    drawn = {"score": turn(page)}
    for name in ("rgb", "mask", "height", "rgb"):
        page.click(f"[data-colour={name}]")
        page.wait_for_selector(f"#view[data-drawn$=' {name}']")
        page.wait_for_timeout(500)
        again = drawn.get(name)
        drawn[name] = seen(page, "#view")
        assert again is None or (abs(again - drawn[name]) > 8).mean() < 0.001  # whatever was shown before
    for name, pixels in drawn.items():
        assert (pixels.min(axis=2) < 235).mean() > 0.02, name  # not empty
    coloured = {name: (pixels.max(axis=2) - pixels.min(axis=2) > 60).mean() for name, pixels in drawn.items()}
    assert coloured["rgb"] > 0.01 and coloured["height"] > 0.01
    blue = drawn["mask"][..., 2] - drawn["mask"][..., 0] > 80
    assert 0 < blue.mean() < 0.3  # the defect
    assert page.faults == []


def test_another_scan_is_drawn_when_it_is_chosen(page):
    first = turn(page)
    page.select_option("#view-category", "tire")
    page.wait_for_selector("#view[data-drawn^='tire ']")
    page.select_option("#view-scan", "3")
    page.wait_for_selector("#view[data-drawn^='tire 3']")
    page.wait_for_timeout(500)
    assert "good/000, anomaly-free" in page.text_content("#view-caption")
    assert page.is_disabled("[data-colour=rgb]")  # these scans have no colours
    assert page.locator("#view canvas").count() == page.locator("#view .gl-container canvas").count()
    assert (abs(seen(page, "#view")[: len(first)] - first).max(axis=2) > 30).mean() > 0.01


def test_a_table_sorts_by_its_measured_numbers_at_a_click(page):
    orders = (
        "[...document.querySelectorAll('#table-table1 tbody tr td:nth-of-type(1)')].map((cell) => cell.dataset.order)"
    )
    before = page.evaluate(orders)
    heading = page.locator("#table-table1 thead th").nth(1)
    heading.scroll_into_view_if_needed()
    sorted_by_click = []
    for direction in ("ascending", "descending"):
        heading.click()
        page.wait_for_selector(f"#table-table1 thead th[aria-sort={direction}]")
        sorted_by_click.append([float(each) for each in page.evaluate(orders) if each])
    rising, falling = sorted_by_click
    assert len(rising) == 2 and rising == sorted(rising) and falling == rising[::-1]
    assert sorted(page.evaluate(orders)) == sorted(before)
