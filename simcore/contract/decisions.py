"""Decision log: facts and actions as integer rows, the same from every stepper and backend.

A row is `(at_ps, instance, kind, request, detail)`; `kind` indexes `KINDS`, -1 stands for "none". Only what has
a semantic cause is logged: how a backend splits its steps is not.
"""

KINDS = (
    "arrived",  # request; detail: prompt tokens
    "dispatch",  # request to instance
    "reject",  # request; detail 0 can never fit, 1 by policy
    "admitted",  # request starts running on instance; detail: tokens to prefill
    "first_token",  # request
    "preempted",  # request on instance; detail: tokens generated so far
    "finished",  # request; detail: tokens generated
    "cancelled",  # request; detail: tokens generated
    "aborted",  # request; detail: tokens kept
    "woke",  # instance, or -1 for the router
    "stepped",  # instance; detail: iterations completed
)
(
    ARRIVED,
    DISPATCH,
    REJECT,
    ADMITTED,
    FIRST_TOKEN,
    PREEMPTED,
    FINISHED,
    CANCELLED,
    ABORTED,
    WOKE,
    STEPPED,
) = range(len(KINDS))
