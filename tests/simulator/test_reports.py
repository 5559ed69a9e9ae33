"""Reports: what a router sees where instances report every 100 ms. Every iteration takes 10 ms."""

from simcore.contract import Abort, Dispatch, Drain, Scale
from simcore.simulator import Mechanisms
from tests.simulator.watcher import Turns, Watcher, run_both

MS = 10**9


class Looking(Watcher):
    """Notes what `look` finds in the view at each date of the script."""

    def __init__(self, look, dates, **more):
        more["script"] = dict.fromkeys(dates, ()) | more.get("script", {})
        super().__init__(**more)
        self.look = look

    def on_woke(self, view, fact):
        self.told.append((fact.key, self.look(view)))
        return super().on_woke(view, fact)


def first(*names):
    """Look at these properties of instance 0."""
    return lambda view: tuple(getattr(view.instances[0], name) for name in names)


def seen(rows, look, dates, report_s=0.1, more=None, **settings):
    ran = run_both(rows, lambda: Looking(look, dates, **(more or {})), report_s=report_s, **settings)
    return [what for at, what in ran.told if at in dates]


def test_a_router_sees_the_last_boundary_before_the_last_report():
    look = first("as_of_s", "waiting", "running", "waiting_tokens", "waiting_blocks", "head_blocks")
    # The report at 0 comes after the arrival and before it is admitted; the one at 100 ms before that boundary.
    assert seen([(0, 24, 30)], look, (5, 55, 105, 195)) == [
        (0.0, 1, 0, 24, 2, 2),
        (0.0, 1, 0, 24, 2, 2),
        (0.09, 0, 1, 0, 0, 0),
        (0.09, 0, 1, 0, 0, 0),
    ]


def test_without_a_period_it_sees_the_last_boundary():
    look = first("as_of_s", "waiting", "running")
    assert seen([(0, 24, 30)], look, (5, 55, 105), report_s=None) == [(0.0, 0, 1), (0.05, 0, 1), (0.1, 0, 1)]


def test_its_own_dispatches_since_are_added():
    look = first("as_of_s", "waiting", "running", "waiting_tokens", "waiting_blocks", "head_blocks")
    rows = [(0, 24, 30), (120, 8, 2), (130, 40, 2)]
    # Both are long admitted at 145 ms, and done at 205 ms: the report at 200 ms says so.
    assert seen(rows, look, (115, 125, 145, 205)) == [
        (0.09, 0, 1, 0, 0, 0),
        (0.09, 1, 1, 8, 1, 1),
        (0.09, 2, 1, 48, 4, 1),
        (0.19, 0, 1, 0, 0, 0),
    ]


def test_its_own_aborts_are_not_seen_before_the_next_report():
    script = {125: (Abort(1),)}
    look = first("waiting", "running")
    rows = [(0, 24, 30), (120, 8, 50)]
    assert seen(rows, look, (122, 145, 205), more={"script": script}) == [(1, 1), (1, 1), (0, 1)]


def test_kv_is_reported_too():
    # 24 tokens and their answers: 2 blocks of 16, a third one from the token 33 on.
    assert seen([(0, 24, 30)], first("free_blocks"), (5, 105, 205), kv_blocks=10) == [(10,), (7,), (7,)]


def test_the_least_of_a_load_goes_by_reports_and_dispatches():
    def look(view):
        return view.least("requests"), view.least("waiting"), view.least("waiting_tokens"), view.least("running")

    # 0 runs one request; 1 is sent one at 120 ms, which is admitted at once, and two more.
    place = {0: 0, 1: 1, 2: 1, 3: 1}
    rows = [(0, 8, 30), (120, 8, 30), (140, 8, 30), (160, 8, 30)]
    more = {"place": lambda view, request: place[request]}
    assert seen(rows, look, (115, 125, 145, 205), instances=2, more=more) == [
        (1, 0, 0, 1),
        (0, 0, 0, 1),
        (0, 0, 0, 1),
        (0, 0, 0, 0),
    ]


def test_states_are_seen_at_once():
    look = first("state", "waiting")
    more = {"script": {15: (Drain(0),)}}
    assert seen([(0, 8, 5)], look, (14, 16), more=more, instances=2) == [("up", 1), ("draining", 1)]


def test_what_a_cache_holds_is_seen_at_once():
    rows = Turns([(0, 64, 20), (0, 64, 2)], columns={"stream": [7, 7]})
    more = {"place": lambda view, request: 0 if request == 0 else None}
    settings = {"mechanisms": Mechanisms(prefix_cache="cold"), "more": more}
    found = seen(rows, lambda view: view.instances[0].cached_tokens(1), (5, 25), **settings)
    assert found == [48, 48], "one block is always computed"


def test_a_new_instance_is_seen_empty_until_its_first_report():
    more = {"script": {15: (Scale(1),)}, "place": lambda view, request: view.up[-1].id}

    def look(view):
        return [(one.state, one.waiting, one.running, one.free_blocks) for one in view.instances[1:]]

    assert seen([(0, 8, 30), (30, 16, 30)], look, (14, 16, 45, 105), more=more, kv_blocks=10, boot_s=0.01) == [
        [],
        [("starting", 0, 0, 10)],
        [("up", 1, 0, 10)],
        [("up", 0, 1, 8)],
    ]


def test_reports_do_not_keep_a_run_alive():
    ran = run_both([(0, 8, 2)], lambda: Watcher(lambda view, request: None), report_s=0.1, sample_s=0.1)
    assert (ran.outcome.unfinished, ran.simulator.clock.now) == (1, 100 * MS)


def test_reports_go_on_while_a_client_may_give_up():
    # Nothing works between 0 and 250 ms, and what then becomes known is seen after 300 ms.
    rows = Turns([(0, 8, 2), (0, 8, 40)], columns={"cancel_ps": [250 * MS, -1]})

    class Late(Looking):
        def on_cancelled(self, view, fact):
            return [*super().on_cancelled(view, fact), Dispatch(1, 0)]

    looked = run_both(
        rows, lambda: Late(first("as_of_s", "running"), (255, 305), place=lambda view, request: None), report_s=0.1
    )
    assert [what for at, what in looked.told if at in (255, 305)] == [(0.0, 0), (0.29, 1)]
