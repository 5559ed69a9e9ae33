"""Compressed files: gzip and zstandard read like plain text, and a truncated one is refused."""

import gzip
from pathlib import Path

import pytest
import zstandard

from tests.traces.written import SAMPLES, whole
from traces import check, open_trace

PLAIN = (SAMPLES / "azure_sample.csv").read_bytes()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def written(folder: Path, data: bytes, name: str = "trace") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_a_compressed_trace_is_the_plain_one(tmp_path, compress):
    compressed = whole(open_trace(written(tmp_path, compress(PLAIN))))
    plain = whole(open_trace(SAMPLES / "azure_sample.csv"))
    assert compressed.at_ps.tolist() == plain.at_ps.tolist()
    assert compressed.output_tokens.tolist() == plain.output_tokens.tolist()


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_members_written_one_after_the_other_are_one_trace(tmp_path, compress):
    path = written(tmp_path, compress(PLAIN[:3000]) + compress(PLAIN[3000:]))
    assert open_trace(path).requests == 200


def test_the_content_decides_not_the_name(tmp_path):
    assert open_trace(written(tmp_path, PLAIN, "trace.csv.gz")).requests == 200


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
@pytest.mark.parametrize("kept", [10, 0.5, -3])
def test_a_truncated_file_is_refused(tmp_path, compress, kept):
    data = compress(PLAIN)
    end = int(len(data) * kept) if isinstance(kept, float) else kept
    problems = check(written(tmp_path, data[:end]))
    assert "truncated or damaged here" in problems[-1]


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_a_damaged_file_is_refused(tmp_path, compress):
    data = bytearray(compress(PLAIN))
    data[60:90] = bytes(30)
    assert check(written(tmp_path, bytes(data)))
