"""Decision log: facts and actions as integer rows, the same from every stepper and backend.

A row is `(at_ps, instance, kind, request, detail)`; `kind` indexes `KINDS`, -1 stands for "none". Only what has
a semantic cause is logged: how a backend splits its steps is not.
"""

KINDS = (
    "arrived",  # request; detail: prompt tokens
    "dispatch",  # request to instance
    "reject",  # request; detail 0 can never fit, 1 by policy, 2 the queue is full
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
    "overtaken",  # an action of a policy (`Done(ok=False)`) or a client came too late; request, if it was about one
    "prefilled",  # request on instance, which hands it on; detail: tokens whose KV stands
    "swapped",  # request lost its place on instance, its KV goes to the host; detail: tokens generated so far
    "fetch",  # its KV is being copied to instance, from the host or another instance; detail: blocks to copy
    "joined",  # request goes on decoding on instance, its KV having come; detail: tokens whose KV stands
    "pinned",  # program, or -1 - request, in place of a request; detail: blocks held
    "unpinned",  # likewise; detail 0 by policy, 1 by date, 2 its next turn runs
    "turn_ended",  # request; detail: program
    "timed_out",  # request: its client gives it up; detail 0 by itself, 1 no first token in time, 2 no end in time
    "lost",  # request, with instance; detail: tokens generated so far
    "up",  # instance; -1: the router
    "down",  # instance; -1: the router; detail 0 drained, 1 terminated, 2 failed
    "split",  # instance; detail: 1000 x prefill share + decode share, in force from now
    "role",  # instance; detail 0 mixed, 1 prefill, 2 decode, in force from now
    "blocked",  # request on instance
    "migrate",  # a router asks to move request (-1: whom the scheduler picks) away from instance; detail: destination
    "stage",  # request, with instance it is being copied to; detail: blocks
    "paused",  # request leaves the batch of instance for the last stage; detail: tokens whose KV stands
    "migrated",  # request is on instance now; detail: blocks copied in all stages
    "resumed",  # request goes on where it was paused, on instance; detail: tokens whose KV stands
    "priorities",  # new ones are in force for who is on instance; detail: epoch
    "overwritten",  # request waits on instance, its KV on the host was overwritten; detail: blocks still valid
    "opened",  # a rollout step; detail: the step
    "submitted",  # request of a new group; detail: the group
    "suspended",  # request of a rollout, with instance if it ran there; detail: tokens kept
    "continued",  # request of a rollout; detail: tokens it goes on from
    "group",  # a group is complete, in place of a request; detail 1 accepted, 0 not
    "discarded",  # likewise, given up
    "train",  # a training step begins; detail: the step
    "trained",  # and has ended; detail: the step
    "weights",  # instance goes over to new weights; detail: their version
    "reloaded",  # request waits on instance again, its beginning having come from the host; detail: tokens that came
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
    PREFILLED,
    SWAPPED,
    FETCH,
    JOINED,
    PINNED,
    UNPINNED,
    TURN_ENDED,
    TIMED_OUT,
    LOST,
    UP,
    DOWN,
    SPLIT,
    ROLE,
    BLOCKED,
    MIGRATE,
    STAGE,
    PAUSED,
    MIGRATED,
    RESUMED,
    PRIORITIES,
    OVERWRITTEN,
    OPENED,
    SUBMITTED,
    SUSPENDED,
    CONTINUED,
    GROUP,
    DISCARDED,
    TRAIN,
    TRAINED,
    WEIGHTS,
    RELOADED,
) = range(len(KINDS))
