"""Completion: the end of something that goes on beside its caller: asked for between iterations, or waited for."""

from typing import Protocol


class Completion(Protocol):
    """What was started; it ends by itself."""

    def done(self) -> bool:
        """Return whether it has ended, at once. Raises what made it fail."""

    def wait(self) -> None:
        """Return once it has ended. Raises what made it fail."""


class Done:
    """What had ended when the call that started it came back."""

    def done(self) -> bool:
        return True

    def wait(self) -> None:
        pass


DONE = Done()


def wait_for(completion: Completion | None) -> None:
    """Wait for what may be under way; None: nothing is."""
    if completion is not None:
        completion.wait()
