"""Only what pyproject.toml cannot say: the compiled kernel of the inverted index, left out where it cannot be built."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "limner.index._kernel",
            ["src/limner/index/_kernel.c"],
            extra_compile_args=["-O3"],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
