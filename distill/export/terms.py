"""Section `export` of a study file, and which base an adapter's user needs."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

Licence = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*\Z")]  # as SPDX names it: MIT, Apache-2.0, CC-BY-4.0
Repository = Annotated[str, Meta(pattern=r"^[\w.-]+/[\w.-]+\Z")]  # OWNER/NAME on the hub
OWN = "student"  # the folder beside an adapter whose base is in no repository


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `export`: what cards say of licences and sources. A study without it is exported without a licence, and not uploaded."""

    licence: Licence  # of adapters and of merged students
    data_licence: Licence  # of corpora
    language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}\Z")]
    datasets: list[Repository]  # that the corpora were made of
    base_model: Repository | UnsetType = UNSET  # what a student that does not come from the hub was made of


class Limits(msgspec.Struct, frozen=True):
    """Of section `report`."""

    limits: list[str]  # what the study cannot show


class Base(NamedTuple):
    """The model that a PEFT adapter is put on."""

    name: str  # repository, or OWN
    revision: str  # commit; "" of an own one
    origin: str  # the repository that its weights come from; "" where they come from none
    note: str  # what its user must know; "" if nothing

    @property
    def own(self) -> bool:
        """Whether its weights go beside the adapter."""
        return self.name == OWN


def base(section: Mapping[str, Any], bits: int) -> Base:
    """Return the base of a student of `bits` a weight, by section `student`.

    transformers reads no MLX quantisation: of a repository that is quantised for MLX the dequantised weights go beside the adapter. A
    16-bit repository that was quantised here is itself the base, as is usual with QLoRA.
    """
    origin = section["repository"] if section["kind"] == "hub" else ""
    if origin and bits >= 16:
        return Base(origin, section["revision"], origin, "")
    if origin and "quantize" in section:
        note = f"It was trained on these weights quantised to {bits} bits by MLX: on the 16-bit weights its logits differ a little."
        return Base(origin, section["revision"], origin, note)
    return Base(OWN, "", origin, f"It holds the dequantised {bits}-bit weights that the adapter was trained on." if bits < 16 else "")
