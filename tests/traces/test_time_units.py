"""Time units: a mean rate that cannot be true is an error that names the unit assumed and the way out."""

import pytest

from tests.traces.written import azure, mooncake, request
from traces import TraceError, check, open_trace


def test_a_mooncake_file_in_seconds_is_caught(tmp_path):
    path = mooncake(tmp_path, *(request(quarter / 4) for quarter in range(401)))
    with pytest.raises(TraceError, match=r"wrong time unit\? Read as milliseconds, the unit of mooncake files"):
        open_trace(path)
    assert open_trace(path, time_unit="s").rate == 4.0


def test_the_message_gives_both_rates_and_the_way_out(tmp_path):
    (problem,) = check(mooncake(tmp_path, *(request(index // 10) for index in range(1001))))
    assert "1,001 requests arrive in 0.1 s: 1e+04 req/s on average (10 req/s if they are seconds)" in problem
    assert "time_unit: s, or time_unit: ms to keep it" in problem


def test_many_requests_at_one_time_are_doubted_until_the_unit_is_named(tmp_path):
    path = mooncake(tmp_path, *(request(0) for _ in range(1000)))
    assert "wrong time unit?" in check(path)[0]
    assert check(path, time_unit="ms") == []


def test_another_unit_than_the_formats_own_may_not_make_a_true_rate_untrue(tmp_path):
    path = mooncake(tmp_path, *(request(index * 300) for index in range(200)))
    (problem,) = check(path, time_unit="s")
    assert "Read as seconds as time_unit says, 200 requests arrive in 59700 s: 0.003333 req/s on average" in problem
    assert problem.endswith("(3.333 req/s if they are milliseconds). Leave time_unit out: milliseconds are the unit "
                            "of mooncake files")  # fmt: skip
    assert check(path, time_unit="ms") == []


def test_plain_numbers_in_milliseconds_in_an_azure_file_are_caught(tmp_path):
    path = azure(tmp_path, *(f"{index * 200},10,10" for index in range(200)))
    assert "Read as seconds" in check(path)[0]
    assert open_trace(path, time_unit="ms").rate == 5.0


def test_dates_are_never_doubted(tmp_path):
    path = azure(tmp_path, *("2023-11-16 18:15:46,10,10" for _ in range(1000)))
    assert check(path) == []


def test_a_handful_of_requests_tells_nothing(tmp_path):
    assert check(mooncake(tmp_path, *(request(0) for _ in range(99)))) == []
