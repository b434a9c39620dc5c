"""Draws docs/report.png and docs/report_3d.png, screenshots of a report, and docs/result.png, pictures of scans in it:

python docs/draw_report.py [PAGE]

Needs Chromium on the path (Debian: apt-get install chromium).
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent
SHOWN = ("bagel/hole", "rope/cut", "potato/cut", "cable_gland/bent")  # of each the first picture
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
        save(Image.open(io.BytesIO(page.screenshot())), "report")
        page.locator("#view").scroll_into_view_if_needed()
        page.wait_for_selector("#view[data-drawn]:not([data-drawn='']) canvas")
        page.evaluate("document.getElementById('turn').scrollIntoView({behavior: 'instant'})")
        page.wait_for_timeout(1500)
        save(Image.open(io.BytesIO(page.screenshot())), "report_3d")
        browser.close()
    save(scans(path.parent / "scans"), "result")


def scans(folder: Path) -> Image.Image:
    """Pictures of scans with their scores and ground truth, two in a row."""
    pictures = [Image.open(min(folder.glob(f"{name}_*.png"))).convert("RGB") for name in SHOWN]
    width, height = (max(each.size[axis] for each in pictures) for axis in (0, 1))
    sheet = Image.new("RGB", (2 * width, height * len(pictures) // 2), "white")
    for number, each in enumerate(pictures):
        sheet.paste(each, (number % 2 * width, number // 2 * height))
    return sheet


def save(image: Image.Image, name: str) -> None:
    """A picture as PNG of 256 colours."""
    image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
