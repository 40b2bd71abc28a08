"""Readers of the files of other projects, one module a format; none needs the framework that wrote the file."""
