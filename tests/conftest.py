"""What all tests share."""

from distill.model import engine

engine.start()  # before any test module imports mlx, which binds its BLAS then
