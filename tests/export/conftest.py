"""Pages of models, opened in a real browser."""

import pytest
from browser import HOW_TO_INSTALL, chromium, open_browser
from factories import save_checkpoint


@pytest.fixture(scope="session")
def browser():
    if chromium() is None:
        pytest.skip(HOW_TO_INSTALL)
    with open_browser() as opened:
        yield opened


@pytest.fixture
def open_page(browser, invoke, tmp_path):
    """Exports a checkpoint, opens its page, and fails if the page reports any error."""
    opened, problems = [], []

    def open_one(checkpoint, *words, name="model", width=1000, **options):
        file = tmp_path / "pages" / name / "best.safetensors"
        if not file.exists():
            save_checkpoint(file, checkpoint)
        target = tmp_path / "page.html"
        result = invoke("export", file, "--html", target, "--force", *words)
        assert result.exit_code == 0, result.stderr
        page = browser.new_page(viewport={"width": width, "height": 800}, **options)
        page.set_default_timeout(60_000)  # a busy machine takes many seconds to start a page
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.on(
            "request",
            lambda request: (
                problems.append(request.url)
                if not request.url.startswith(("file:", "blob:"))
                else None
            ),
        )
        page.goto(target.as_uri())
        page.wait_for_selector("body[data-ready]")
        opened.append(page)
        return page

    yield open_one
    for page in opened:
        page.close()
    assert problems == []
