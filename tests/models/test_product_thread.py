"""Products in a thread: an error comes where they are waited for."""

import threading

import numpy as np

from charrnn_cli.models.product_thread import ProductThread


def ones(*shape):
    return np.ones(shape, np.float32)


def error_of_waiting(products, number):
    """What `wait` raises, None if nothing; fails if it does not return."""
    errors = []

    def wait():
        try:
            products.wait(number)
        except ValueError as error:
            errors.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(timeout=10)
    assert not waiting.is_alive(), "it waits for ever"
    return errors[0] if errors else None


def test_the_error_of_a_product_is_raised_where_it_is_waited_for():
    products = ProductThread()
    failing = products.ask(ones(2, 3), ones(4), ones(2))
    assert "not aligned" in str(error_of_waiting(products, failing))


def test_a_product_after_one_that_failed_is_computed():
    products, outputs = ProductThread(), ones(2)
    failing = products.ask(ones(2, 3), ones(4), ones(2))
    following = products.ask(ones(2, 3), ones(3), outputs)
    assert error_of_waiting(products, failing) is not None
    assert error_of_waiting(products, following) is None
    assert outputs.tolist() == [3, 3]
