"""Only what pyproject.toml cannot say: the compiled loops of the index room, left out where they cannot be built."""

from setuptools import Extension, setup

# The loops over codes give what numpy gives: a product and a sum are rounded twice, not once.
FLAGS = {"_posting_kernel": [], "_code_kernel": ["-ffp-contract=off"], "_products": []}

setup(
    ext_modules=[
        Extension(
            f"limner.index.{name}",
            [f"src/limner/index/{name}.c"],
            depends=["src/limner/index/_compiled.h"],
            extra_compile_args=["-O3", *flags],
            py_limited_api=True,
            optional=True,
        )
        for name, flags in FLAGS.items()
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
