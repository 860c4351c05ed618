"""A printed PDF as an office scanner returns it: black-and-white page images, slightly turned and noisy, without a text layer."""

import random
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
from PIL import Image


def scan(source: Path, path: Path, dpi: int, skew: float, noise: float, seed: str) -> None:
    """Write `source` as images of `dpi` pixels an inch, turned by up to `skew` degrees, the share `noise` of their pixels flipped."""
    document = pdfium.PdfDocument(source)
    pages = []
    for number in range(len(document)):
        image = document[number].render(scale=dpi / 72, grayscale=True).to_pil()
        pages.append(_scanned(image, random.Random(f"{seed}-{number}"), skew, noise))
    document.close()
    # One bit a pixel is stored as CCITT group 4, whose bytes do not depend on the zlib of the machine.
    pages[0].save(path, "PDF", save_all=True, append_images=pages[1:], resolution=dpi, creationDate=None, modDate=None)


def _scanned(image: Image.Image, rng: random.Random, skew: float, noise: float) -> Image.Image:
    turned = image.rotate(rng.uniform(-skew, skew), resample=Image.Resampling.BICUBIC, fillcolor=255)
    black = np.array(turned) < 150
    where = [rng.randrange(black.size) for _ in range(int(noise * black.size))]
    black.reshape(-1)[where] ^= True
    return Image.fromarray(~black)
