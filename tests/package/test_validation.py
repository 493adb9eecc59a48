"""validation.py"""

from my_service.validation import plain_errors


def test_a_secret_is_masked_in_the_error_of_another_field() -> None:
    """A validator of the whole body may quote what only its input names as secret."""
    body = {"user": "ann", "password": "hunter2x"}
    message = "Value error, ann cannot have hunter2x"
    [error] = plain_errors(
        [{"type": "value_error", "loc": ("body",), "msg": message, "input": body}]
    )
    assert error["msg"] == "Value error, ann cannot have ***"
    assert error["input"] == {"user": "ann", "password": "***"}
