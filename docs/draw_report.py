"""Draws docs/report.png and docs/report_3d.png, screenshots of a report: python docs/draw_report.py [PAGE]

Needs Chromium on the path (Debian: apt-get install chromium).
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def main() -> None:
    """Open the page at a desk's width, and save its top and its scans."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else FOLDER.parent / "results" / "report" / "index.html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 1250})
        page.goto(path.resolve().as_uri())
        page.wait_for_selector("body[data-ready]")
        page.wait_for_timeout(500)
        save(page, "report")
        page.locator("#view").scroll_into_view_if_needed()
        page.wait_for_selector("#view[data-drawn]:not([data-drawn='']) canvas")
        page.evaluate("document.getElementById('turn').scrollIntoView({behavior: 'instant'})")
        page.wait_for_timeout(1500)
        save(page, "report_3d")
        browser.close()


def save(page: Page, name: str) -> None:
    """The window as PNG of 256 colours."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
