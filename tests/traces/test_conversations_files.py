"""Files of conversations: those that are none or are damaged, and ways of writing one that are all read."""

import gzip
import json

import pytest

from tests.traces.conversing import asked, opened, problems, steps, talk, whole, written

GOOD = talk(asked(0, [1, 2]))


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("x.csv", "session,step,sidechain,request_s,response_s,input_tokens\n", "1:57: missing column output_tokens"),
        (
            "x.csv",
            "instance_id,step,step,created,prompt_tokens,cached_tokens,completion_tokens\n",
            "1:1: column step st",
        ),
        (
            "x.csv",
            "instance_id,step,created,prompt_tokens,cached_tokens,completion_tokens\n\n",
            "1:1: the file has no c",
        ),
        (
            "x.csv",
            "session,index,step,tool,start_s,end_s,duration_s\n",
            "1:1: this is a table of tool calls: open the ll",
        ),
        ("x.csv", "metric,group,unit,count,mean,p50\n", "1:1: this is a table of published quantiles, no trace"),
        ("x", "", "1:1: looks like no known format of conversations"),
    ],
)
def test_a_file_without_conversations_says_why(tmp_path, name, text, problem):
    path = tmp_path / name
    path.write_text(text)
    assert problems(path)[0].startswith(problem)


def test_a_file_cut_off_says_where(tmp_path):
    path = tmp_path / "kv.gz"
    packed = gzip.compress("".join(f"{talk(asked(0, [i, i + 1, i + 2]))}\n" for i in range(3000)).encode())
    path.write_bytes(packed[: len(packed) // 2])
    (found,) = problems(path)
    line = int(found.split(":")[0])
    assert 2 < line < 3000
    assert "the file is truncated or damaged here" in found


def test_bytes_that_are_no_text_are_reported_where_they_stand(tmp_path):
    path = steps(tmp_path, "a,0,100,10,0,5,0,7")
    path.write_bytes(path.read_bytes() + b"a,1,101,1\xff,0,5,0,7\n")
    assert problems(path)[0].startswith("3:9: prompt_tokens: must be a whole number, got '1\ufffd'")


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = steps(tmp_path, "a,0,100,10,0,5,0,7")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert opened(path).requests == 1


def test_json_written_in_another_order_is_read(tmp_path):
    line = json.loads(GOOD)
    request = dict(reversed(line["requests"][0].items()))
    path = written(tmp_path, "kv", [json.dumps({"requests": [request]} | line | {"requests": [request]})])
    assert whole(opened(path)).prompt_tokens.tolist() == [8]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("[1,,2]", "not JSON (Expecting value)"),
        ("[1,2,]", "not JSON ("),
        ("[1,2,3]", "must hold one id per whole block of 4 tokens, 2 for 8 tokens, not 3"),
        (f"[1,{2**63}]", "must be numbers below 2^63"),
        ('"cut out: list 0"', "must be a list of whole numbers"),
    ],
)
def test_ids_without_spaces_are_checked_as_well(tmp_path, ids, message):
    line = GOOD.replace('"hash_ids": [1, 2]', f'"hash_ids":{ids}')
    (found,) = problems(written(tmp_path, "kv", [GOOD, line]))
    assert found.startswith("2:")
    assert message in found


def test_ids_are_the_same_with_and_without_spaces(tmp_path):
    lines = [GOOD, GOOD.replace('"hash_ids": [1, 2]', '"hash_ids":[1,2]')]
    one, other = (whole(opened(written(tmp_path, f"kv{i}", [line]))) for i, line in enumerate(lines))
    assert one.head.keys.tolist() == other.head.keys.tolist()
    assert one.head.ends.tolist() == other.head.ends.tolist() == [8]
