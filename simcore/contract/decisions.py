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
    "aborted",  # request; detail: tokens kept
    "woke",  # instance, or -1 for the router
    "stepped",  # instance; detail: iterations completed
    "preempt",  # a policy asks for it; instance, or -1 for the router; request
    "abort",  # likewise
    "touch",  # likewise
    "overtaken",  # a policy's action on this request came too late: `Done(ok=False)`
)
(
    ARRIVED,
    DISPATCH,
    REJECT,
    ADMITTED,
    FIRST_TOKEN,
    PREEMPTED,
    FINISHED,
    ABORTED,
    WOKE,
    STEPPED,
    PREEMPT,
    ABORT,
    TOUCH,
    OVERTAKEN,
) = range(len(KINDS))
