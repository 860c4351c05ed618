"""What all tests share."""

from stages.shared import engine

engine.start()  # before any test module imports mlx, which binds its BLAS then
