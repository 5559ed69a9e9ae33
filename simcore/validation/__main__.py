"""Replay a real server's run: `python -m simcore.validation FOLDER`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from simcore.commands.errors import complain

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    folder: Annotated[Path, typer.Argument(help="A run (requests.jsonl, meta.json), or a folder with run/ in it.")],
    profile: Annotated[
        Path | None, typer.Option(help="The GPU's profile: folder, or file made of one. Default: profile/ in FOLDER.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where figures and validation.json go; default: nowhere.")] = None,
    model: Annotated[str, typer.Option(help="Name of a model, or its config.json. Default: as the run says.")] = "",
    gpu: Annotated[str, typer.Option(help="Name of a GPU, or its file. Default: as the profile says.")] = "",
    kv_blocks: Annotated[
        int | None, typer.Option(min=1, help="KV blocks. Default: as the server logged, else what memory allows.")
    ] = None,
    prefill_step_overhead_ms: Annotated[
        float, typer.Option(min=0, max=1000, help="The one constant that may be declared; 0: none.")
    ] = 5.0,
    ablation: Annotated[bool, typer.Option(help="Leave each part of the model out in turn.")] = True,
    steps: Annotated[bool, typer.Option(help="Compare step by step.")] = True,
    interval: Annotated[int, typer.Option(min=0, help="Replays with wrong tables, for an interval; 0: none.")] = 20,
) -> None:
    """Replay a server's run with a cost model made of its GPU's profile, and say how far off it is."""
    try:
        from simcore.validation.study import study

        run = folder / "run" if (folder / "run").is_dir() else folder
        findings = study(
            run,
            profile or folder / "profile",
            model=model,
            gpu=gpu,
            kv_blocks=kv_blocks,
            overhead_s=prefill_step_overhead_ms / 1e3,
            ablation=ablation,
            steps=steps,
            interval=interval,
        )
    except ValueError as error:
        complain(str(error))
        raise typer.Exit(2) from None
    print(findings.as_markdown())
    if out is not None:
        from simcore.validation.plots import draw

        paths = draw(findings, out)
        text = json.dumps(findings.as_dict(), indent=1, ensure_ascii=False)
        (out / "validation.json").write_text(text + "\n", encoding="utf-8")
        print(f"\n{out}: validation.json, {', '.join(path.name for path in paths)}", file=sys.stderr)


if __name__ == "__main__":
    app()
