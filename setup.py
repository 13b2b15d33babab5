"""Only what pyproject.toml cannot say: the compiled loops of the index room, left out where they cannot be built."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            f"limner.index.{name}",
            [f"src/limner/index/{name}.c"],
            # A product and a sum rounded once instead of twice would differ from what numpy gives.
            extra_compile_args=["-O3", "-ffp-contract=off"],
            py_limited_api=True,
            optional=True,
        )
        for name in ("_kernel", "_codes", "_products")
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
