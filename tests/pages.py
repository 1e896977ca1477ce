"""What the tests of exported pages do with a page and its model."""

import dataclasses

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
