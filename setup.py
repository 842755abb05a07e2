"""The native part, for who has a compiler and wants it; all else is in setup.cfg."""

import os

from setuptools import Extension, setup

NATIVE = [Extension("logparse._native", ["logparse/native.c"], optional=True)]

setup(ext_modules=[] if os.environ.get("MXHEED_NATIVE") == "0" else NATIVE)
