"""Command: a request moves between two processes while it decodes. Exit 1: its tokens, or its KV, are not its own.

On a machine with two GPUs each process has one, and KV goes by NCCL; with one GPU both use it, with none both use the
CPU, and KV goes by gloo.
"""

import argparse
import os
import sys
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from realbackend.remote.check import Check, migrate


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m realbackend.remote", description="A migration over two processes.")
    parser.add_argument("--weights", default="random:nano", help="a folder in Hugging Face format, or random:SHAPE")
    parser.add_argument("--prompt", type=int, default=1000, help="tokens")
    parser.add_argument("--output", type=int, default=64, help="tokens")
    parser.add_argument("--after", type=int, default=16, help="tokens generated before it moves")
    parser.add_argument("--gpus", type=int, default=torch.cuda.device_count(), help="how many to use; 0: the CPU")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds to wait for the other process")
    given = parser.parse_args(arguments)
    if given.prompt < 1 or not 1 <= given.after < given.output:
        parser.error("must hold: prompt >= 1, 1 <= after < output")
    dist = torch.distributed
    if not dist.is_available() or not dist.is_gloo_available():
        print("remote: this torch has no torch.distributed with gloo", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        check = Check(given.weights, given.prompt, given.output, given.after, given.gpus, given.timeout, folder)
        found = migrate(check)
    print(", ".join(f"{name} {value}" for name, value in found.items()))
    return 0 if found["tokens"] == found["kv"] == "equal" else 1


if __name__ == "__main__":
    sys.exit(main())
