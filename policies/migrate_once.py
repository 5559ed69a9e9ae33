"""Migrate once: every request moves to the next instance, once, a while after its first token.

Source: how Llumnix measures migrations (arXiv:2406.03243, section 6.2): by a script, not by its policy.

Decides:  where a request goes: as `round_robin`; when it moves, and where to.
Leaves:   how it moves to `mechanism.migration`.
"""

from simcore.contract import (
    Actions,
    ClusterView,
    FirstToken,
    InstanceId,
    Migrate,
    PlacingRouter,
    RequestId,
    WakeAt,
    Woke,
)


class MigrateOnce(PlacingRouter):
    """For measurements: it moves requests to see what that costs, not to gain anything.

    Args:
        after_s: seconds from a request's first token to its migration.
    """

    emits = PlacingRouter.emits | {Migrate}

    def __init__(self, *, after_s: float = 1.0) -> None:
        if not after_s >= 0:
            raise ValueError(f"after_s must be >= 0, got {after_s}")
        self.after_s = after_s
        self.placed = 0

    def place(self, view: ClusterView, request: RequestId) -> InstanceId:
        self.placed += 1
        return view.up[(self.placed - 1) % len(view.up)].id

    def on_first_token(self, view: ClusterView, fact: FirstToken) -> Actions:
        return (WakeAt(view.now_s + self.after_s, fact.request),)

    def on_woke(self, view: ClusterView, fact: Woke) -> Actions:
        assert isinstance(fact.key, int), "the key is a request's id"
        request = view.requests.get(fact.key)
        if request is None or request.instance is None:
            return ()
        here = request.instance
        others = [instance.id for instance in view.up if instance.id != here]
        if not others:
            return ()
        later = [instance for instance in others if instance > here]
        return (Migrate(here, (later or others)[0], fact.key),)
