"""pretraining: the texts that the embedded study's student is pretrained on; none where that section is empty."""

import sys

from tqdm import tqdm

from distill.cli import command
from distill.cli.layout import Paths
from distill.core import study_file
from distill.core.files import write_records
from distill.pretraining.texts import Params, size, texts


def main(paths: Paths) -> None:
    """Read section `pretraining`, write the texts."""
    params = study_file.optional_section(paths.study_file, "pretraining", Params)
    if params is None:
        write_records(paths.pretraining, [])
        return
    bar = tqdm(texts(params), total=size(params), unit="text", desc="pretraining", file=sys.stderr)
    wrote = write_records(paths.pretraining, bar)
    command.closing("pretraining", wrote, wrote)


if __name__ == "__main__":
    command.run(main)
