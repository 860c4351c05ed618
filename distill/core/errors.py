"""The error that a user can fix."""


class InputError(ValueError):
    """A fault in the input, not in the code: the message is one line that says what, where, actual, allowed and the way out."""
