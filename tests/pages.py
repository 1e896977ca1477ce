"""What the tests of exported pages do with a page and its model."""

import dataclasses
import re

import numpy as np


def rounded(checkpoint):
    """The checkpoint with its weights rounded to 16 bits, as a page has them."""
    weights = {
        name: values.astype(np.float16).astype(np.float32)
        for name, values in checkpoint.weights.items()
    }
    return dataclasses.replace(checkpoint, weights=weights)


def until(page, condition):
    """Wait for a condition; Playwright's own waiting needs `eval`, which the page forbids."""
    for _ in range(500):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never: {condition}")


def set_range(page, name, value):
    page.fill(f"#{name}", str(value))


def shown_bits(page):
    page.wait_for_selector('#bits[data-ended="true"]', state="attached")
    return float(re.match(r"[\d.]+", page.inner_text("#bits"))[0])


def write(page, count, **settings):
    """What a page writes from its start in `count` characters."""
    for name, value in {"rate": 40, **settings}.items():
        set_range(page, name.replace("_", "-"), value)
    page.click("#restart")
    for _ in range(count):
        before = len(page.text_content("#written"))
        page.click("#once")
        until(page, f"document.getElementById('written').textContent.length > {before}")
    return page.text_content("#written")
