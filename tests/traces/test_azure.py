"""Azure CSV: exact times, the ways its dates are written, what is tolerated."""

import pytest

from tests.traces.written import HEADER, SAMPLES, azure, whole
from traces import open_trace

FIRST = "2023-11-16 18:15:46.6805900"


def test_times_are_exact_picoseconds_from_the_first_row(tmp_path):
    path = azure(tmp_path, f"{FIRST},374,44", "2023-11-16 18:15:50.9951690,396,109", "2023-11-17 00:00:00.0000001,5,6")
    trace = whole(open_trace(path))
    assert trace.at_ps.tolist() == [0, 4_314_579_000_000, 20_653_319_410_100_000]
    assert trace.prompt_tokens.tolist() == [374, 396, 5]
    assert trace.output_tokens.tolist() == [44, 109, 6]


def test_the_last_of_seven_decimals_counts(tmp_path):
    path = azure(tmp_path, "2023-11-16 18:15:46.6805900,1,1", "2023-11-16 18:15:46.6805901,1,1")
    assert whole(open_trace(path)).at_ps.tolist() == [0, 100_000]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2024-05-10 00:00:00.500000+00:00", "2024-05-10 00:00:02.000000+00:00"),
        ("2024-05-10 00:00:00.500000+00:00", "2024-05-10 00:00:02+00:00"),
        ("2024-05-10T00:00:00.5Z", "2024-05-10T00:00:02.0Z"),
        ("2024-05-10 02:00:00.5+02:00", "2024-05-10 00:00:02.0Z"),
        ("2024-02-28 23:59:59.5", "2024-02-29 00:00:01"),
        ("10.5", "12"),
        ("1e1", "11.5"),
    ],
)
def test_dates_of_other_years_zones_and_plain_seconds_are_read(tmp_path, first, second):
    assert whole(open_trace(azure(tmp_path, f"{first},1,1", f"{second},1,1"))).at_ps.tolist() == [0, 1_500_000_000_000]


def test_windows_line_ends_a_byte_order_mark_quotes_and_blank_lines_are_tolerated(tmp_path):
    path = tmp_path / "saved_elsewhere.csv"
    path.write_bytes(f'\ufeff{HEADER}\r\n"{FIRST}","374","44"\r\n\r\n{FIRST}, 396,109'.encode())
    assert whole(open_trace(path)).prompt_tokens.tolist() == [374, 396]


def test_a_file_longer_than_a_piece_keeps_its_rows_and_order(tmp_path):
    path = azure(tmp_path, *(f"{second},{second + 1},7" for second in range(20_000)))
    pieces = list(open_trace(path).pieces())
    assert [len(piece) for piece in pieces] == [8192, 8192, 3616]
    assert pieces[2].at_ps[0] == 16_384 * 10**12
    assert whole(open_trace(path)).prompt_tokens.tolist() == list(range(1, 20_001))


def test_the_sample_is_read():
    sample = open_trace(SAMPLES / "azure_sample.csv")
    assert (sample.requests, sample.classes) == (200, ("default",))
    assert whole(sample).prompt_tokens.sum() == 199_496
