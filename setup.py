"""The native part, for who has a compiler; all else is in setup.cfg."""

from setuptools import Extension, setup

setup(ext_modules=[Extension("logparse._native", ["logparse/native.c"], optional=True)])
