"""What can go wrong, and the exit status that says so."""

import errno


class FergenError(Exception):
    """Ends a command with one clear line on standard error and `status`."""

    status = 1


class BadInput(FergenError):
    """The user's input is wrong: says what was expected, what was found, where, and what to do."""

    status = 2

    def __init__(self, message: str):
        super().__init__(" ".join(str(message).split()))


class NonFinite(FergenError):
    """A loss, gradient or parameter is not finite; names the leaf."""

    status = 3


class Preempted(FergenError):
    """The run was asked to stop and saved its state; the same command continues it."""

    status = 75


def ending(error: BaseException) -> tuple[str, int] | None:
    """Return the line and the exit status with which a command ends at an error; None for what is a fault of ours."""
    if isinstance(error, FergenError):
        return f"fergen: {error}", error.status
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        status = FergenError.status if error.errno == errno.ENOSPC else BadInput.status
        return f"fergen: {where}{error.strerror or error}", status
    if isinstance(error, KeyboardInterrupt):
        return "fergen: interrupted", 130
    return None
